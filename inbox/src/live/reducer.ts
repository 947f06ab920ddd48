import type { Contact, FeedEvent, Message, Reaction, ThreadSummary } from '@/api/types'

import { changeMessage, dropNote, putMessages, putNote, withMedia } from './conversation'
import type { Events, Kind, Payloads } from './events'
import { relist } from './list'
import type { Conversation, InboxState } from './state'

type Step<K extends Kind> = (state: InboxState, payload: Payloads[K], event: FeedEvent) => InboxState

/** Applies one frame: events already seen are passed over, the rest applied in order, the cursor moved on. */
export function applyFrame(state: InboxState, frame: Events): InboxState {
  const fresh = frame.events.filter((event) => event.seq > state.cursor).sort((a, b) => a.seq - b.seq)
  const next = applyEvents(state, fresh)
  return { ...next, cursor: Math.max(state.cursor, frame.cursor, ...fresh.map((event) => event.seq)) }
}

/** Applies events whatever the cursor: to bring a page that was just fetched up to date. Snapshots make it safe to repeat. */
export function applyEvents(state: InboxState, events: readonly FeedEvent[]): InboxState {
  return events.reduce(applyEvent, state)
}

function applyEvent(state: InboxState, event: FeedEvent): InboxState {
  const step = STEPS[event.kind as Kind] as Step<Kind> | undefined
  return step ? step(state, event.payload as never, event) : state
}

const STEPS: { [K in Kind]: Step<K> } = {
  created: (state, { thread }) => putThread(state, thread),
  message_received: (state, { message, thread }) => putMessage(putThread(state, thread), message),
  reply_sent: (state, { message, thread }) => putMessage(putThread(state, thread), message),
  delivery_changed: applyDelivery,
  delivery_failed: applyDelivery,
  delivery_suppressed: applyDelivery,
  message_edited: (state, { message }) => replaceMessage(state, message),
  message_recalled: (state, { message }) => replaceMessage(state, message),
  // Of a customer's the page tells when it is read anew: the event knows only the platform's id.
  reacted: (state, { message_id, emoji }, event) =>
    changeConversation(state, event.thread_id, (conversation) =>
      changeMessage(conversation, message_id ?? '', (message) => ({ ...message, reactions: withOurs(message.reactions ?? [], emoji, event) })),
    ),
  media_changed: (state, { message_id, media }, event) =>
    changeConversation(state, event.thread_id, (conversation) =>
      changeMessage(conversation, message_id, (message) => ({
        ...message,
        content: withMedia(message.content, media),
        previous: message.previous.map((content) => withMedia(content, media)),
      })),
    ),
  contact_changed: (state, { contact }) => putContact(state, contact),
  read: (state, { thread_id, unread }) => changeThread(state, thread_id, () => ({ unread })),
  assigned: (state, { assignee }, event) =>
    changeOrWant(state, event.thread_id, (thread) => ({
      assignee,
      state: thread.state === 'new' ? 'in_service' : thread.state,
    })),
  unassigned: (state, _payload, event) => changeOrWant(state, event.thread_id, () => ({ assignee: null })),
  closed: (state, _payload, event) => changeOrWant(state, event.thread_id, () => ({ state: 'closed' })),
  reopened: (state, _payload, event) =>
    changeOrWant(state, event.thread_id, (thread) => ({ state: thread.assignee ? 'in_service' : 'new' })),
  note_created: (state, { note }) =>
    changeConversation(state, note.thread_id, (conversation) => putNote(conversation, note)),
  note_deleted: (state, { note }) =>
    changeConversation(state, note.thread_id, (conversation) => dropNote(conversation, note.id)),
  reachability_changed: (state, { reachable }, event) => changeThread(state, event.thread_id, () => ({ reachable })),
  account_changed: (state, { account }) => ({
    ...state,
    accounts: new Map(state.accounts).set(account.id, account),
  }),
}

/** A customer's name or picture changed: in all their threads. */
export function putContact(state: InboxState, contact: Contact): InboxState {
  const theirs = [...state.threads.values()].filter((thread) => thread.contact.id === contact.id)
  return sign(theirs.reduce((next, thread) => putThread(next, { ...thread, contact }), state), contact)
}

/** Puts the name under what its owner wrote before it was known: in a group nothing else tells who spoke. */
function sign(state: InboxState, { id, name }: Contact): InboxState {
  const isNameless = ({ author }: Message) => author.kind === 'contact' && author.id === id && author.name === null
  const signed = [...state.conversations].filter(([, { messages }]) => name !== null && messages.some(isNameless))
  return signed.reduce((next, [key]) => changeConversation(next, key, (conversation) => ({
    ...conversation,
    messages: conversation.messages.map((message) => (isNameless(message) ? { ...message, author: { ...message.author, name } } : message)),
  })), state)
}

/** All of us are one person to the platform: a reaction takes the place of the one before. */
function withOurs(reactions: readonly Reaction[], emoji: string | null, { actor }: FeedEvent): Reaction[] {
  const others = reactions.filter(({ author }) => author.kind !== 'agent')
  return emoji === null || actor.kind !== 'agent' ? [...others] : [...others, { emoji, author: { kind: 'agent', id: actor.id, name: actor.name } }]
}

function applyDelivery(state: InboxState, change: Payloads['delivery_changed']): InboxState {
  return changeConversation(state, change.thread_id, (conversation) =>
    changeMessage(conversation, change.message_id, (message) => ({
      ...message,
      deliveries: putDelivery(message.deliveries, change.delivery),
      delivery_state: change.delivery_state,
      retryable: change.retryable,
    })),
  )
}

function putDelivery(deliveries: Message['deliveries'], delivery: Message['deliveries'][number]): Message['deliveries'] {
  const others = deliveries.filter((other) => other.id !== delivery.id)
  return [...others, delivery].sort((a, b) => a.part - b.part)
}

export function putThread(state: InboxState, thread: ThreadSummary): InboxState {
  const threads = new Map(state.threads).set(thread.id, thread)
  const wanted = state.wanted.has(thread.id) ? without(state.wanted, thread.id) : state.wanted
  const next = { ...state, threads, wanted }
  return { ...next, list: relist(next, thread) }
}

export function changeThread(
  state: InboxState,
  id: string | null,
  change: (thread: ThreadSummary) => Partial<ThreadSummary>,
): InboxState {
  const thread = id === null ? undefined : state.threads.get(id)
  return thread ? putThread(state, { ...thread, ...change(thread) }) : state
}

/** As changeThread; a thread that was never loaded may now belong in the list and is asked for. */
function changeOrWant(
  state: InboxState,
  id: string | null,
  change: (thread: ThreadSummary) => Partial<ThreadSummary>,
): InboxState {
  if (id === null || state.threads.has(id)) return changeThread(state, id, change)
  return { ...state, wanted: new Set(state.wanted).add(id) }
}

export function changeConversation(
  state: InboxState,
  threadId: string | null,
  change: (conversation: Conversation) => Conversation,
): InboxState {
  const old = threadId === null ? undefined : state.conversations.get(threadId)
  if (threadId === null || old === undefined) return state
  const changed = change(old)
  return changed === old ? state : { ...state, conversations: new Map(state.conversations).set(threadId, changed) }
}

function putMessage(state: InboxState, message: Message): InboxState {
  return changeConversation(state, message.thread_id, (conversation) => putMessages(conversation, [message]))
}

/** An edit or a recall: also the preview in the list must not show what is no longer said. */
function replaceMessage(state: InboxState, message: Message): InboxState {
  const inList = changeThread(state, message.thread_id, (thread) =>
    thread.last_position === message.position && thread.preview
      ? { preview: { ...thread.preview, ...previewOf(message) } }
      : {},
  )
  return changeConversation(inList, message.thread_id, (conversation) =>
    changeMessage(conversation, message.id, () => message),
  )
}

function previewOf(message: Message): { type: string; text: string | null } {
  if (message.recalled_at !== null) return { type: 'recalled', text: null }
  const text = message.content.type === 'text' ? message.content.text : null
  return { type: message.content.type, text }
}

function without(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const copy = new Set(set)
  copy.delete(id)
  return copy
}
