/** Requests to the visitor API on our own origin. */
import { VERSION, type ToLoader } from '../port'

export class ApiError extends Error {
  constructor(
    /** 0 where no answer came. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter = 0,
  ) {
    super(message)
  }

  /** What came beside the error: the new form, the session that there is. */
  body: Record<string, unknown> = {}

  /** Whether the same request may go well later. */
  get passes(): boolean {
    return [0, 408, 425, 429].includes(this.status) || this.status >= 500
  }
}

interface Problem {
  error?: { code?: string; message?: string; retry_after?: number }
}

const failed = (status: number, body: Problem): ApiError =>
  Object.assign(
    new ApiError(status, body.error?.code ?? 'server_error', body.error?.message ?? '', body.error?.retry_after), { body })

const LOST = (): ApiError => new ApiError(0, 'network', '')

export class Api {
  token: string | null = null
  locale = ''
  form = 'desktop'
  readonly base = new URL('../../client/v1/', location.href).href

  constructor(
    readonly key: string,
    readonly tell: (word: ToLoader) => void = () => undefined,
  ) {}

  /** Hear which token the page keeps; the one that it was asked to keep is used from then on. */
  kept = (token: string | null): string | null => token

  /** Another token follows the one in use. The page keeps it first: a reload must not find the old one alone. */
  follow(next: string): void {
    const was = this.token
    this.kept = (token) => (token === next && this.token === was ? (this.token = token) : token)
    this.tell({ t: 'next', was, token: next })
  }

  get socket(): string {
    return `${this.base.replace(/^http/, 'ws')}ws`
  }

  /** Return the answer's JSON, undefined where it has none. Raises ApiError. */
  async call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const headers = this.#headers()
    const { token } = this
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    const request = { method, headers, signal, body: JSON.stringify(body), cache: 'no-store', credentials: 'omit' }
    const answer = await fetch(this.base + path, request as RequestInit).catch(() => {
      throw LOST()
    })
    const found: unknown = await answer.json().catch(() => undefined)
    if (!answer.ok) throw failed(answer.status, (found ?? {}) as Problem)
    const next = answer.headers.get('X-Next-Token')
    if (next && token === this.token) this.follow(next)
    return found as T
  }

  /** Send a file; `fetch` cannot tell how far it is. */
  upload<T>(file: File, progress: (part: number) => void): Promise<T> {
    return new Promise((done, refuse) => {
      const request = new XMLHttpRequest()
      request.open('POST', `${this.base}uploads`)
      for (const [name, value] of Object.entries(this.#headers())) request.setRequestHeader(name, value)
      request.responseType = 'json'
      request.upload.onprogress = (event) => progress(event.loaded / event.total)
      request.onerror = () => refuse(LOST())
      request.onload = () =>
        request.status < 300 ? done(request.response as T) : refuse(failed(request.status, (request.response ?? {}) as Problem))
      const form = new FormData()
      form.append('file', file, file.name)
      request.send(form)
    })
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = {
      'X-Inbox-Key': this.key,
      'X-SDK-Platform': 'web',
      'X-SDK-Form': this.form,
      'X-Protocol': String(VERSION),
      'Accept-Language': this.locale,
    }
    if (this.token) headers['Authorization'] = `Bearer ${this.token}`
    return headers
  }
}
