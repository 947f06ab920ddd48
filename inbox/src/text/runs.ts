import type { ContentOf } from '@/api/types'

type Mention = NonNullable<ContentOf<'text'>['mentions']>[number]

export type Run =
  | { kind: 'plain'; text: string }
  | { kind: 'link'; text: string; url: string }
  | { kind: 'mention'; text: string; us: boolean }

const ADDRESS = /https?:\/\/[^\s<>"'`，。！？、）」』】]+/giu
const TRAILING = /[.,;:!?)\]}*_~]+$/u

/** A text as pieces to render: never HTML, so that nothing a customer writes can become markup. */
export function textRuns(text: string, mentions: readonly Mention[] = []): Run[] {
  // Places of mentions count code points.
  const points = Array.from(text)
  const slice = (from: number, to?: number): string => points.slice(from, to).join('')
  const runs: Run[] = []
  let at = 0
  for (const { start, length, us, everyone } of [...mentions].sort((a, b) => a.start - b.start)) {
    if (start < at || start + length > points.length) continue
    runs.push(...linkRuns(slice(at, start)), { kind: 'mention', text: slice(start, start + length), us: Boolean(us || everyone) })
    at = start + length
  }
  return [...runs, ...linkRuns(slice(at))]
}

function linkRuns(text: string): Run[] {
  const runs: Run[] = []
  let at = 0
  for (const match of text.matchAll(ADDRESS)) {
    const shown = match[0].replace(TRAILING, '')
    const url = safeUrl(shown)
    if (url === null) continue
    if (match.index > at) runs.push({ kind: 'plain', text: text.slice(at, match.index) })
    runs.push({ kind: 'link', text: shown, url })
    at = match.index + shown.length
  }
  if (at < text.length) runs.push({ kind: 'plain', text: text.slice(at) })
  return runs
}

/** The address if a click on it may leave the desk (web, mail, phone), else null. */
export function safeUrl(address: string | null | undefined): string | null {
  if (!address || !URL.canParse(address)) return null
  const url = new URL(address)
  return ['http:', 'https:', 'mailto:', 'tel:'].includes(url.protocol) ? url.href : null
}
