import type { InjectionKey } from 'vue'

import type { Media, Message } from '@/api/types'

export interface Picture {
  media: Media
  /** Its caption, else its name. */
  label: string | null
  at: string
}

/** Shows a picture of the thread on the whole screen. */
export const VIEW_PICTURE: InjectionKey<(mediaId: string) => void> = Symbol('view-picture')

/** The pictures of a conversation in the order in which they were sent. */
export function picturesOf(messages: readonly Message[]): Picture[] {
  return messages.flatMap(({ content, recalled_at, placeholder, at }) =>
    content.type === 'image' && content.media.state === 'stored' && recalled_at === null && placeholder === null
      ? [{ media: content.media, label: content.caption ?? content.media.name, at }]
      : [],
  )
}
