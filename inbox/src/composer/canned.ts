import type { CannedReply } from '@/api/types'

/** What may stand in a canned reply, and from where it is filled when it is put into the composer. */
export const VARIABLES = ['contact.name', 'agent.name', 'account.title'] as const
export type Variable = (typeof VARIABLES)[number]
export type Values = Record<Variable, string>

export interface Slash {
  /** Where the slash stands in the text. */
  start: number
  /** What was typed after it. */
  typed: string
}

/** The word with a slash at its beginning in which the caret stands, or null. */
export function slashAt(text: string, caret: number): Slash | null {
  const found = /(?:^|\s)\/([^\s/]*)$/u.exec(text.slice(0, caret))
  return found === null ? null : { start: caret - (found[1] ?? '').length - 1, typed: found[1] ?? '' }
}

/** A canned reply with its variables filled in; what is unknown stays as it is, to be seen and not sent by mistake as nothing. */
export function fill(text: string, values: Values): string {
  return text.replace(/\{\{\s*([a-z.]+)\s*\}\}/gu, (whole, name: string) => values[name as Variable] || whole)
}

/** Those that are meant by what was typed: by shortcut first, then by title, then by text. */
export function meant(replies: readonly CannedReply[], typed: string): CannedReply[] {
  const word = typed.toLocaleLowerCase()
  const rank = ({ shortcut, title, text }: CannedReply): number => {
    if (shortcut.toLocaleLowerCase().startsWith(word)) return 0
    if (title.toLocaleLowerCase().includes(word)) return 1
    return text.toLocaleLowerCase().includes(word) ? 2 : 3
  }
  return replies.map((reply) => ({ reply, rank: rank(reply) })).filter((one) => one.rank < 3)
    .sort((a, b) => a.rank - b.rank || a.reply.shortcut.localeCompare(b.reply.shortcut)).map(({ reply }) => reply)
}
