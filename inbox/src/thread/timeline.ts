import type { Message, Note } from '@/api/types'
import { daysAgo } from '@/words/time'

export type Entry =
  | { kind: 'day'; key: string; at: string }
  | { kind: 'unread'; key: string }
  | { kind: 'message'; key: string; message: Message; first: boolean; last: boolean }
  | { kind: 'note'; key: string; note: Note }

/** Messages of one author within this time stand together as a group. */
const GROUP_MS = 5 * 60_000

/**
 * What is shown, in order: messages by position, notes where their time falls, a separator where the day changes and one
 * before the message that was the first unread (`unreadFrom`, its id).
 */
export function timeline(messages: readonly Message[], notes: readonly Note[], unreadFrom: string | null = null): Entry[] {
  const entries: Entry[] = []
  const waiting = [...notes]
  let day: string | null = null
  const enter = (at: string, entry: Entry): void => {
    if (day === null || daysAgo(day, Date.parse(at)) !== 0) entries.push({ kind: 'day', key: `day-${at}`, at })
    day = at
    entries.push(entry)
  }
  messages.forEach((message, index) => {
    for (const note of takeUntil(waiting, message.at)) enter(note.at, noteEntry(note))
    if (message.id === unreadFrom && index > 0) entries.push({ kind: 'unread', key: 'unread' })
    enter(message.at, messageEntry(messages, index, unreadFrom))
  })
  for (const note of waiting) enter(note.at, noteEntry(note))
  return entries
}

/** The id of the message with which the unread ones begin: the `unread`th from the end of those that came in. */
export function firstUnread(messages: readonly Message[], unread: number): string | null {
  return unread === 0 ? null : (messages.filter(({ direction }) => direction === 'in').at(-unread)?.id ?? null)
}

function takeUntil(waiting: Note[], at: string): Note[] {
  const end = waiting.findIndex((note) => note.at >= at)
  return waiting.splice(0, end < 0 ? waiting.length : end)
}

function noteEntry(note: Note): Entry {
  return { kind: 'note', key: `note-${note.id}`, note }
}

function messageEntry(messages: readonly Message[], index: number, unreadFrom: string | null): Entry {
  const message = messages[index] as Message
  const before = messages[index - 1]
  const after = messages[index + 1]
  return {
    kind: 'message',
    key: message.id,
    message,
    first: before === undefined || message.id === unreadFrom || !together(before, message),
    last: after === undefined || after.id === unreadFrom || !together(message, after),
  }
}

function together(a: Message, b: Message): boolean {
  const sameAuthor = a.direction === b.direction && a.author.kind === b.author.kind && a.author.id === b.author.id
  return sameAuthor && Date.parse(b.at) - Date.parse(a.at) < GROUP_MS
}
