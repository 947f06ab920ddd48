import type { Account, Message, Note, Thread, ThreadSummary } from '@/api/types'

export interface Filter {
  view: 'all' | 'mine' | 'unassigned'
  state: 'open' | 'closed'
  account: string | null
  channel: string | null
}

export interface ThreadList {
  filter: Filter
  /** Newest last_message_at first. */
  ids: readonly string[]
  /** For the next page; null when everything is loaded. */
  next: string | null
  loaded: boolean
}

export interface Conversation {
  /** Oldest first, a gapless stretch up to the newest. */
  messages: readonly Message[]
  notes: readonly Note[]
  /** Value for `before` of the page above; null at the beginning. */
  earlier: string | null
}

/** Everything the live feed keeps true. Never changed in place: every step makes a new one that shares what stayed. */
export interface InboxState {
  /** The agent who looks. */
  me: string
  /** The last event that is in here. */
  cursor: number
  threads: ReadonlyMap<string, ThreadSummary>
  /** What only the open threads have: composer and identities. */
  details: ReadonlyMap<string, Pick<Thread, 'composer' | 'identities'>>
  conversations: ReadonlyMap<string, Conversation>
  accounts: ReadonlyMap<string, Account>
  list: ThreadList
  /** Threads that an event spoke of and that were never loaded; the store fetches them. */
  wanted: ReadonlySet<string>
}

export const FIRST_FILTER: Filter = { view: 'all', state: 'open', account: null, channel: null }

export function emptyList(filter: Filter): ThreadList {
  return { filter, ids: [], next: null, loaded: false }
}

export function emptyState(me: string): InboxState {
  return {
    me,
    cursor: 0,
    threads: new Map(),
    details: new Map(),
    conversations: new Map(),
    accounts: new Map(),
    list: emptyList(FIRST_FILTER),
    wanted: new Set(),
  }
}
