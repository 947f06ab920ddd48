import type { LocationQuery } from 'vue-router'

import type { LetterKind } from '@/api/types'

/** Which dead letters are looked at; stands in the address, so that a look can be handed on. */
export interface Wanted {
  kind: LetterKind
  account: string
  channel: string
  reason: string
  code: string
  /** As an input of the person's own zone has it: 2026-11-22T08:00. */
  since: string
  until: string
}

export const FILTERS = ['account', 'channel', 'reason', 'code', 'since', 'until'] as const
export type FilterName = (typeof FILTERS)[number]

export function wantedIn(query: LocationQuery): Wanted {
  const word = (name: string): string => (typeof query[name] === 'string' ? query[name] : '')
  return {
    kind: word('kind') === 'sent' ? 'sent' : 'received',
    ...(Object.fromEntries(FILTERS.map((name) => [name, word(name)])) as Record<FilterName, string>),
  }
}

export function isNarrowed(wanted: Wanted): boolean {
  return FILTERS.some((name) => wanted[name] !== '')
}

/** The parameters of an address: what is not said is left out. */
export function queryOf(wanted: Wanted): Record<string, string> {
  const said = FILTERS.filter((name) => wanted[name] !== '').map((name) => [name, wanted[name]])
  return { ...(wanted.kind === 'sent' ? { kind: 'sent' } : {}), ...(Object.fromEntries(said) as Record<string, string>) }
}

/** As the API takes it: times of the person's zone become moments. */
export function asked(wanted: Wanted) {
  const { kind, account, channel, reason, code } = wanted
  const since = moment(wanted.since)
  const until = moment(wanted.until)
  return {
    kind,
    ...(account === '' ? {} : { account_id: account }),
    ...(channel === '' ? {} : { channel }),
    ...(reason === '' ? {} : { reason }),
    ...(code === '' ? {} : { code }),
    ...(since === null ? {} : { since }),
    ...(until === null ? {} : { until }),
  }
}

function moment(local: string): string | null {
  const time = new Date(local)
  return local === '' || Number.isNaN(time.getTime()) ? null : time.toISOString()
}
