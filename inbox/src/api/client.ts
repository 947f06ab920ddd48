import createClient, { type Middleware } from 'openapi-fetch'

import { refusal, Refused, Unreachable } from './problem'
import type { paths } from './schema'
import { readToken } from './token'

type Answer<T> = { data?: T; error?: unknown; response: Response }

let whenUnauthorised: () => void = () => undefined

/** Called once per refused request that carried a token: it is no longer good. */
export function onUnauthorised(listener: () => void): void {
  whenUnauthorised = listener
}

/** For the requests that do not go through the typed client: uploads. */
export function noteUnauthorised(): void {
  whenUnauthorised()
}

const bearer: Middleware = {
  onRequest({ request }) {
    const token = readToken()
    if (token !== null && !request.headers.has('Authorization')) {
      request.headers.set('Authorization', `Bearer ${token}`)
    }
    return request
  },
  onResponse({ request, response }) {
    if (response.status === 401 && request.headers.has('Authorization')) whenUnauthorised()
    return response
  },
}

export const api = createClient<paths>({
  baseUrl: location.origin,
  fetch: (request) => globalThis.fetch(request),
})
api.use(bearer)

/**
 * Unwraps an answer of the typed client.
 *
 * Raises `Refused` with the problem document, or `Unreachable` when no answer came.
 */
export async function call<T>(pending: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await reached(pending)
  if (!response.ok) throw refusal(response.status, error)
  return data as T
}

async function reached<T>(pending: Promise<T>): Promise<T> {
  try {
    return await pending
  } catch (cause) {
    if (cause instanceof Refused) throw cause
    throw new Unreachable('No answer from the server.', { cause })
  }
}

/** Header for a write that may be repeated without being done twice. */
export function once(key: string): { 'Idempotency-Key': string } {
  return { 'Idempotency-Key': key }
}

export function newKey(): string {
  return crypto.randomUUID()
}
