import type { ThreadSummary } from '@/api/types'

/** kind of content → key of the word that stands for it where there is no room for the thing itself. */
export const KIND_WORDS: Record<string, string> = {
  image: 'kind.image',
  video: 'kind.video',
  audio: 'kind.audio',
  file: 'kind.file',
  location: 'kind.location',
  sticker: 'kind.sticker',
  choice: 'kind.choice',
  card: 'kind.card',
  carousel: 'kind.carousel',
  link: 'kind.link',
  contacts: 'kind.contacts',
  template: 'kind.template',
  recalled: 'kind.recalled',
  unsupported: 'kind.unsupported',
}

type Translate = (key: string) => string

/** One line about the last message: who when it was not the customer, then what. */
export function previewText(preview: ThreadSummary['preview'], t: Translate): string {
  if (preview === null) return ''
  const kind = KIND_WORDS[preview.type]
  const what = [kind === undefined ? '' : t(kind), preview.text ?? ''].filter((part) => part !== '').join(' · ')
  return preview.author === 'agent' || preview.author === 'staff_elsewhere' ? `${t('list.us')} ${what}` : what
}
