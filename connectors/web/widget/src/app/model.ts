/** What is known of the conversation, and how changes come into it. Applying a change twice does nothing. */
import type { Change, Message } from './wire'

/** One thread of the visitor's: the live one, or one from before they said who they are. */
export interface Line {
  id: string
  /** What was loaded of it, in its own order. */
  said: Message[]
  /** Whether there is more before the first. */
  more: boolean
  /** Up to where this visitor has read, and up to where the other side has. */
  read: number
  seen: number
}

export interface Conversation {
  lines: Line[]
  /** What stands on the screen: all threads as one. */
  messages: Message[]
  /** Name of the agent who wrote last. */
  agent: string
}

export const nothing = (): Conversation => ({ lines: [], messages: [], agent: '' })

export const isMine = (message: Message): boolean => message.author.kind === 'contact'

export function line({ lines }: Conversation, id: string): Line {
  const known = lines.find((one) => one.id === id)
  if (known) return known
  const fresh = { id, said: [], more: false, read: 0, seen: 0 }
  lines.push(fresh)
  return fresh
}

/** Lay the threads into one another by time, each in its own order. Before a gap in one of them nothing is shown. */
function laid({ lines }: Conversation): Message[] {
  const heads = lines.map(({ said, more }) => ({ said, more, at: 0 }))
  const time = ({ said, at }: { said: Message[]; at: number }): string => said[at]?.created_at ?? '~'
  const all: Message[] = []
  let begin = 0
  for (;;) {
    const [next] = heads.sort((a, b) => (time(a) < time(b) ? -1 : 1))
    const message = next?.said[next.at]
    if (!next || !message) return all.slice(begin)
    if (next.more && next.at === 0) begin = all.length
    next.at++
    all.push(message)
  }
}

/** Put messages in by id, keep them in order, and let no older revision win. */
export function put(conversation: Conversation, ...arrived: Message[]): void {
  for (const one of arrived) {
    const of = line(conversation, one.thread_id)
    const known = of.said.find(({ id }) => id === one.id)
    if (known && one.rev < known.rev) continue
    of.said = [...of.said.filter((other) => other !== known), one].sort((a, b) => a.pos - b.pos)
  }
  conversation.messages = laid(conversation)
  conversation.agent = conversation.messages.filter((one) => !isMine(one) && one.author.name).at(-1)?.author.name ?? ''
}

export const newest = ({ said }: Line): number => said.at(-1)?.pos ?? 0

/** How many messages of the other side were not read. */
export const unread = ({ said, read }: Line): number =>
  said.filter((one) => one.pos > read && !isMine(one) && one.kind !== 'notice').length

/** Apply a durable change; returns the message that is new, if one is. */
export function apply(conversation: Conversation, change: Change): Message | null {
  const data = change.data as Partial<Message> & { side?: string }
  if (!data.thread_id) return null
  const of = line(conversation, data.thread_id)
  if (change.type === 'read.changed') {
    const end = data.side === 'contact' ? 'read' : 'seen'
    of[end] = Math.max(of[end], data.pos ?? 0)
    return null
  }
  if (!change.type.startsWith('message.') || !data.id) return null
  const isNew = !of.said.some((one) => one.id === data.id)
  // A change of a message that was never loaded is older than what is shown.
  if (isNew && change.type !== 'message.created') return null
  put(conversation, data as Message)
  return isNew ? (data as Message) : null
}
