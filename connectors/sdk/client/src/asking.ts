/**
 * Leaving a message and asking for a person: calls 16 to 21.
 *
 * `new Asking(client)`, once the client has started. Offer the form where `client.can('submission')`, and a person where
 * `client.can('request_human')`. What becomes of a session the client tells: `session` and `queue`.
 */
import { ApiError, type Api } from './api.ts'
import type { Answers, Form, OfflineForm, Session, Submission, SubmissionSent } from './types.ts'

/** What was refused, by the key of the question: `required`, `invalid`, `too_long`, `unknown_field`. */
export type Mistakes = Record<string, string>

export class Asking {
  readonly #api: Api

  constructor(client: { api: Api }) {
    this.#api = client.api
  }

  /** The form as it is now. 409 `submission_disabled` where there is none. */
  form(groupId?: string): Promise<Form> {
    const query = groupId === undefined ? '' : `?group_id=${encodeURIComponent(groupId)}`
    return this.#api.call('GET', `/submissions/form${query}`)
  }

  /**
   * Send it. Keep `clientId` (a UUID) with the answers before the first try and use it until there is an answer: the
   * server stores it once, however often it hears of it.
   *
   * 422 `field_errors`: see `mistakesIn`. 409 `form_outdated`: draw `newFormIn` and keep the answers. 409
   * `client_id_conflict`: an earlier version arrived already. What passes (`error.passes`) is tried again.
   */
  submit(form: Form, values: Answers, more: { clientId: string; groupId?: string }): Promise<SubmissionSent> {
    const { clientId: client_id, groupId: group_id } = more
    return this.#api.call('POST', '/submissions', { client_id, group_id, form_version: form.version, values })
  }

  /** One's own forms, the newest first, each with the last reply. */
  async submissions(): Promise<Submission[]> {
    return (await this.#api.call<{ submissions: Submission[] }>('GET', '/submissions')).submissions
  }

  /** Ask for a person: a session, or the form where nobody can be waited for. Asking twice gives the first session. */
  async human(wish: { group_id?: string; agent_id?: string; reason?: string } = {}): Promise<Session | OfflineForm> {
    try {
      return await this.#api.call<Session | OfflineForm>('POST', '/threads/live/human', wish)
    } catch (error) {
      const session = error instanceof ApiError && error.code === 'already_requested' && error.more['session']
      if (session) return session as Session
      throw error
    }
  }

  /** Wait no longer; null where nobody waited. */
  leaveQueue(): Promise<Session | null> {
    return this.#unless('not_queued', 'DELETE', '/threads/live/queue')
  }

  /** End the talk; null where there was none. */
  endSession(): Promise<Session | null> {
    return this.#unless('no_session', 'POST', '/threads/live/end', {})
  }

  async #unless(code: string, method: string, path: string, body?: object): Promise<Session | null> {
    try {
      return await this.#api.call<Session>(method, path, body)
    } catch (error) {
      if (error instanceof ApiError && error.code === code) return null
      throw error
    }
  }
}

/** Return what a refusal says of the answers, {} where it says nothing of them. */
export function mistakesIn(error: unknown): Mistakes {
  const told = error instanceof ApiError && error.code === 'field_errors' ? error.more['errors'] : []
  return Object.fromEntries(((told ?? []) as { field: string; code: string }[]).map(({ field, code }) => [field, code]))
}

/** Return the form that took the place of an outdated one, null where the refusal brings none. */
export function newFormIn(error: unknown): Form | null {
  return error instanceof ApiError && error.code === 'form_outdated' ? ((error.more['form'] as Form | undefined) ?? null) : null
}
