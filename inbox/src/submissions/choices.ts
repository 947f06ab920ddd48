/** What is chosen for a place while it is edited, and what holds where nothing is. Pure. */
import type { MatrixRow, SubmissionDimension, SubmissionMode, SubmissionSetting } from '@/api/types'

/** What a channel takes. */
export type Takes = Pick<MatrixRow, 'modes' | 'dimensions'>

export interface Held { enabled: boolean; mode: SubmissionMode | null; dimension: SubmissionDimension }

/** A choice of a list; '' leaves it to the wider place. */
export type Choice<T extends string> = T | ''
export type Switch = 'on' | 'off'
export interface Choices { enabled: Choice<Switch>; mode: Choice<SubmissionMode>; dimension: Choice<SubmissionDimension> }

export const MODES: readonly SubmissionMode[] = ['offline_message', 'ticket']
export const DIMENSIONS: readonly SubmissionDimension[] = ['channel', 'group']

/** What holds for an account: its own word, else that for all where its channel supports it, else the channel's first. */
export function heldBy(account: SubmissionSetting, all: SubmissionSetting, takes: Takes): Held {
  const wide = all.mode && takes.modes.includes(all.mode) ? all.mode : (takes.modes[0] ?? null)
  const dimension = all.dimension && takes.dimensions.includes(all.dimension) ? all.dimension : 'channel'
  return { enabled: account.enabled ?? all.enabled ?? false, mode: account.mode ?? wide, dimension: account.dimension ?? dimension }
}

export function switchFrom(enabled: boolean | null | undefined): Choice<Switch> {
  return enabled === true ? 'on' : enabled === false ? 'off' : ''
}

export function enabledFrom(chosen: Choice<Switch>): boolean | null {
  return chosen === '' ? null : chosen === 'on'
}
