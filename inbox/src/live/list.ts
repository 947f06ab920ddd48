import type { ThreadSummary } from '@/api/types'

import type { Filter, InboxState, ThreadList } from './state'

/** Whether a thread belongs in a list with this filter, for this agent. */
export function matches(thread: ThreadSummary, filter: Filter, me: string): boolean {
  const states = (thread.state === 'closed') === (filter.state === 'closed')
  const account = filter.account === null || filter.account === thread.account_id
  const channel = filter.channel === null || filter.channel === thread.channel
  return states && account && channel && matchesView(thread, filter.view, me)
}

function matchesView(thread: ThreadSummary, view: Filter['view'], me: string): boolean {
  if (view === 'mine') return thread.assignee?.id === me
  if (view === 'unassigned') return thread.assignee === null
  return true
}

/** Newest first; the id decides between equals, so that the order never flickers. */
export function byNewest(a: ThreadSummary, b: ThreadSummary): number {
  return compare(b.last_message_at, a.last_message_at) || compare(b.id, a.id)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

/** Puts a thread into, moves it within or takes it out of the list after it changed. */
export function relist(state: InboxState, thread: ThreadSummary): ThreadList {
  const { list } = state
  const others = list.ids.filter((id) => id !== thread.id)
  if (!list.loaded || !matches(thread, list.filter, state.me)) {
    return others.length === list.ids.length ? list : { ...list, ids: others }
  }
  const at = position(state, others, thread)
  // Below the last loaded row of an unfinished list we do not know its neighbours: a later page brings it.
  if (at === others.length && list.next !== null && !list.ids.includes(thread.id)) return list
  const ids = [...others.slice(0, at), thread.id, ...others.slice(at)]
  return { ...list, ids }
}

function position(state: InboxState, ids: readonly string[], thread: ThreadSummary): number {
  const at = ids.findIndex((id) => {
    const other = state.threads.get(id)
    return other !== undefined && byNewest(thread, other) < 0
  })
  return at < 0 ? ids.length : at
}
