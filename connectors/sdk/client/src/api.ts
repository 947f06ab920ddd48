/** Requests to the server: headers, errors, and which errors pass. */
import type { Platform } from './types.ts'

export interface ApiOptions {
  /** "https://desk.shop.example"; plain http for tests only. */
  server: string
  /** Public key of the app, "ak_…". */
  key: string
  platform: Platform
  /** The app's version of this client: "3.0.3". Features follow it. */
  version: string
  /** BCP 47. */
  locale?: string
  /** Another one than the platform's, for tests. */
  fetch?: typeof fetch
}

export class ApiError extends Error {
  /** 0 where no answer came. */
  readonly status: number
  readonly code: string
  readonly field: string | undefined
  /** Seconds that the server asks for. */
  readonly retryAfter: number
  /** Members beside `error`: the fresh cursor of `cursor_expired`. */
  readonly more: Record<string, unknown>

  constructor(status: number, body: Record<string, unknown>) {
    const error = (body['error'] ?? {}) as { code?: string; message?: string; field?: string; retry_after?: number }
    super(error.message ?? `HTTP ${String(status)}`)
    this.status = status
    this.code = error.code ?? (status === 0 ? 'network' : 'server_error')
    this.field = error.field
    this.retryAfter = error.retry_after ?? 0
    this.more = body
  }

  /** Whether the same request with the same ids may go well later. */
  get passes(): boolean {
    return [0, 408, 425, 429].includes(this.status) || this.status >= 500
  }

  /** Whether another token is needed. */
  get needsToken(): boolean {
    return this.status === 401 && this.code.startsWith('token_')
  }
}

export class Api {
  token: string | null = null
  /** Keeps the token that follows one; true when it is safe and no other is kept by now. */
  keep: (next: string, was: string) => Promise<boolean> = () => Promise.resolve(true)
  locale: string
  readonly options: ApiOptions
  readonly base: string

  constructor(options: ApiOptions) {
    this.options = options
    this.locale = options.locale ?? 'en'
    this.base = `${options.server.replace(/\/+$/, '')}/client/v1`
  }

  /** Where the live connection is. The token never stands in an address. */
  get socket(): string {
    return `${this.base.replace(/^http/, 'ws')}/ws`
  }

  /** The whole address of a path that the server gave (of a file). */
  address(path: string): string {
    return new URL(path, this.base).href
  }

  /** Return the answer's JSON, undefined where it has none. Raises ApiError and nothing else. */
  async call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const headers = this.#headers()
    const { token } = this
    let sent: BodyInit | undefined
    if (body instanceof FormData) sent = body
    else if (body !== undefined) {
      headers['Content-Type'] = 'application/json'
      sent = JSON.stringify(body)
    }
    const ask = this.options.fetch ?? globalThis.fetch
    const request = { method, headers, body: sent, signal, credentials: 'omit', cache: 'no-store' } as RequestInit
    let answer: Response, text: string
    try {
      answer = await ask(`${this.base}${path}`, request)
      text = await answer.text()
    } catch {
      throw new ApiError(0, {})
    }
    const told = parsed(text)
    if (!answer.ok) throw new ApiError(answer.status, told)
    const next = answer.headers.get('X-Next-Token')
    if (next !== null && token !== null) void this.follow(next, token)
    return (text === '' ? undefined : told) as T
  }

  /** Go on with the token that follows, once it is kept: an app that is killed meanwhile has the one before. */
  async follow(next: string, was: string): Promise<void> {
    if ((await this.keep(next, was)) && this.token === was) this.token = next
  }

  #headers(): Record<string, string> {
    const { key, platform, version } = this.options
    const headers: Record<string, string> = {
      'X-Inbox-Key': key,
      'X-SDK-Platform': platform,
      'X-SDK-Version': version,
      'X-Protocol': '1',
      'Accept-Language': this.locale,
    }
    if (this.token !== null) headers['Authorization'] = `Bearer ${this.token}`
    return headers
  }
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}
