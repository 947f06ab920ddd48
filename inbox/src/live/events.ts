import type { Account, AgentRef, Contact, Delivery, DeliveryState, FeedEvent, Media, Message, Note, ThreadSummary } from '@/api/types'

interface DeliveryChange {
  message_id: string
  thread_id: string
  delivery: Delivery
  delivery_state: DeliveryState | null
  retryable: boolean
}

/** What each kind of event carries. Kinds that are not here are kept in history and change nothing on the screen. */
export interface Payloads {
  created: { thread: ThreadSummary }
  message_received: { message: Message; thread: ThreadSummary }
  reply_sent: { message: Message; thread: ThreadSummary }
  delivery_changed: DeliveryChange
  delivery_failed: DeliveryChange
  delivery_suppressed: DeliveryChange
  message_edited: { message: Message }
  message_recalled: { message: Message }
  reacted: { message_id?: string; external_id: string; emoji: string | null }
  media_changed: { message_id: string; media: Media }
  contact_changed: { contact: Contact }
  read: { thread_id: string; unread: number; position: number }
  assigned: { assignee: AgentRef; previous: AgentRef | null }
  unassigned: { previous: AgentRef | null }
  closed: object
  reopened: object
  note_created: { note: Note }
  note_deleted: { note: Note }
  reachability_changed: { reachable: boolean }
  account_changed: { account: Account }
}

export type Kind = keyof Payloads

export interface Hello { type: 'hello'; cursor: number; cursor_at: string | null; at: string }
export interface Events { type: 'events'; cursor: number; events: FeedEvent[] }
export interface Reset { type: 'reset' }
export interface Ping { type: 'ping' }

/** Something that is true for `ttl_s` seconds and stored nowhere: somebody types, somebody looks. */
export interface Moment {
  type: 'moment'
  kind: string
  thread_id: string | null
  actor: { kind: string; id: string | null; name: string | null }
  ttl_s: number
}

/** Who is there already when we come. */
export interface Present { type: 'present'; items: Omit<Moment, 'type'>[] }
export type Frame = Hello | Events | Reset | Ping | Moment | Present

const KNOWN = new Set(['hello', 'events', 'reset', 'ping', 'moment', 'present'])

/** Reads one text frame; null for one that we do not know, which a newer server may send. */
export function readFrame(text: string): Frame | null {
  const frame = JSON.parse(text) as { type?: string }
  return KNOWN.has(frame.type ?? '') ? (frame as Frame) : null
}
