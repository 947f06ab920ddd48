/** What is known of the conversation, and how changes come into it. Applying a change twice does nothing. */
import type { Change, Message } from './wire'

export interface Conversation {
  messages: Message[]
  /** Whether there is more before the first. */
  more: boolean
  /** Up to where this visitor has read, and up to where the other side has. */
  read: number
  seen: number
  /** Name of the agent who wrote last. */
  agent: string
}

export const nothing = (): Conversation => ({ messages: [], more: false, read: 0, seen: 0, agent: '' })

export const isMine = (message: Message): boolean => message.author.kind === 'contact'

/** Put messages in by id, keep them in order, and let no older revision win. */
export function put(conversation: Conversation, ...arrived: Message[]): void {
  const all = new Map(conversation.messages.map((one) => [one.id, one]))
  for (const one of arrived) {
    const known = all.get(one.id)
    if (!known || one.rev >= known.rev) all.set(one.id, one)
    if (!isMine(one) && one.author.name) conversation.agent = one.author.name
  }
  conversation.messages = [...all.values()].sort((a, b) => a.pos - b.pos)
}

export const newest = (conversation: Conversation): number => conversation.messages.at(-1)?.pos ?? 0

/** How many messages of the other side were not read. */
export const unread = ({ messages, read }: Conversation): number =>
  messages.filter((one) => one.pos > read && !isMine(one) && one.kind !== 'notice').length

/** Apply a durable change; returns the message that is new, if one is. */
export function apply(conversation: Conversation, change: Change): Message | null {
  const data = change.data as Partial<Message> & { side?: string; pos?: number }
  if (change.type === 'read.changed') {
    const end = data.side === 'contact' ? 'read' : 'seen'
    conversation[end] = Math.max(conversation[end], data.pos ?? 0)
    return null
  }
  if (!change.type.startsWith('message.') || !data.id) return null
  const isNew = !conversation.messages.some((one) => one.id === data.id)
  // A change of a message that was never loaded is older than what is shown.
  if (isNew && change.type !== 'message.created') return null
  put(conversation, data as Message)
  return isNew ? (data as Message) : null
}
