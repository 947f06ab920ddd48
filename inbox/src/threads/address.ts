import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import { FIRST_FILTER, type Filter } from '@/live/state'

const VIEWS: readonly string[] = ['all', 'mine', 'unassigned'] satisfies Filter['view'][]

/** The filter that an address names; what it does not name, or misspells, is as at first. */
export function filterOf(query: LocationQuery): Filter {
  const { view, state, account, channel } = query
  return {
    view: typeof view === 'string' && VIEWS.includes(view) ? (view as Filter['view']) : FIRST_FILTER.view,
    state: state === 'closed' ? 'closed' : 'open',
    account: typeof account === 'string' && account !== '' ? account : null,
    channel: typeof channel === 'string' && channel !== '' ? channel : null,
  }
}

/** The part of an address that names a filter: only what differs from the first one. */
export function queryOf(filter: Filter): LocationQueryRaw {
  return Object.fromEntries(Object.entries(filter).filter(([key, value]) => value !== FIRST_FILTER[key as keyof Filter]))
}

export function isSameFilter(a: Filter, b: Filter): boolean {
  return a.view === b.view && a.state === b.state && a.account === b.account && a.channel === b.channel
}
