/** A small server and a small socket, as far as the client uses them. */
import { vi } from 'vitest'
import { MemoryStore, TrunklineClient, type ClientOptions, type Message, type SocketClass } from '../src/index.ts'
import type { Author, Change, Thread } from '../src/index.ts'

export const ME: Author = { kind: 'contact', id: null, name: null }
export const ADA: Author = { kind: 'agent', id: 'ag_1', name: 'Ada' }

export const message = (pos: number, more: Partial<Message> = {}): Message => ({
  id: `ms_${String(pos)}`, client_id: null, thread_id: 'th_1', pos, rev: 1, author: ADA, kind: 'text',
  text: `Number ${String(pos)}`, created_at: '2026-05-01T10:00:00.000Z', fallback: '', ...more,
})

export const created = (seq: number, one: Message): Change => ({
  seq, type: 'message.created', at: one.created_at, data: one as unknown as Record<string, unknown>,
})

export const thread = (more: Partial<Thread> = {}): Thread => ({
  id: 'th_1', live: true, state: 'open', last_pos: 0, read_pos: 0, unread: 0, agent_unread: 0, agent: null,
  last_message_at: '2026-05-01T10:00:00.000Z', ...more,
})

export interface Asked {
  method: string
  path: string
  query: URLSearchParams
  headers: Record<string, string>
  body: Record<string, unknown>
}
export interface Answer {
  status?: number
  body?: unknown
  headers?: Record<string, string>
}
type Handler = (asked: Asked) => Answer | Error | Promise<Answer | Error>

export const refusal = (status: number, code: string, more: object = {}): Answer => ({
  status, body: { error: { code, message: code, ...more } },
})

export const given = (more: object = {}): object => ({
  token: 'vt_1', expires_at: '2026-10-28T10:00:00.000Z', identity: 'anonymous', merged: false, thread: null, unread: 0,
  contact: { id: 'ct_1', name: null, locale: 'en' }, cursor: 'c0', features: { typing: true, push: true },
  feature_reasons: {}, ...more,
})

/** Answers by "METHOD /path" (without its query). */
export class Server {
  asked: Asked[] = []
  threads: Thread[] = []
  messages: Message[] = []
  pages: { changes: Change[]; cursor: string }[] = []
  cursor = 'c0'
  handlers: Record<string, Handler> = {
    'POST /tokens': () => ({ status: 201, body: given() }),
    'GET /config': () => ({ body: { features: { typing: true, push: true } } }),
    'GET /threads': () => ({ body: { threads: this.threads, cursor: this.cursor } }),
    'GET /threads/th_1/messages': () => ({ body: { messages: this.messages, has_more: false } }),
    'GET /changes': (asked) => this.#changes(asked),
    'POST /threads/live/messages': ({ body }) => ({
      status: 201,
      body: { message: message(100 + this.count('POST /threads/live/messages'), { ...body, id: `ms_${String(body['client_id'])}`, author: ME }), seq: 1, replayed: false },
    }),
  }

  fetch = (async (address: string, init: RequestInit) => {
    const url = new URL(address)
    const body = typeof init.body === 'string' ? (JSON.parse(init.body) as Record<string, unknown>) : { form: init.body }
    const asked: Asked = {
      method: init.method ?? 'GET', path: url.pathname.replace('/client/v1', ''), query: url.searchParams,
      headers: init.headers as Record<string, string>, body,
    }
    this.asked.push(asked)
    const handler = this.handlers[`${asked.method} ${asked.path}`]
    const answer = handler ? await handler(asked) : { body: {} }
    if (init.signal?.aborted) throw new DOMException('gone', 'AbortError')
    if (answer instanceof Error) throw answer
    const status = answer.status ?? 200
    return new Response(status === 204 ? null : JSON.stringify(answer.body ?? {}), { status, headers: answer.headers ?? {} })
  }) as unknown as typeof fetch

  count(call: string): number {
    return this.of(call).length
  }

  of(call: string): Asked[] {
    return this.asked.filter((one) => `${one.method} ${one.path}` === call)
  }

  /** Tell something to whoever asks next. */
  tell(cursor: string, ...changes: Change[]): void {
    this.pages.push({ changes, cursor })
  }

  async #changes({ query }: Asked): Promise<Answer> {
    const page = this.pages.shift()
    if (page === undefined && query.get('wait') !== '0') await new Promise((done) => setTimeout(done, 25_000))
    const found = page ?? this.pages.shift() ?? { changes: [], cursor: query.get('cursor') ?? '' }
    return { body: { ...found, more: this.pages.length > 0, reset: false, server_time: '' } }
  }
}

export class Socket {
  static made: Socket[] = []
  readyState = 0
  sent: Record<string, unknown>[] = []
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  readonly url: string
  readonly protocol: string

  constructor(url: string, protocol: string) {
    this.url = url
    this.protocol = protocol
    Socket.made.push(this)
  }

  static get newest(): Socket {
    return Socket.made.at(-1) as Socket
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>)
  }

  close(): void {
    this.readyState = 3
  }

  /** Let it open and say `ready`. */
  async accept(more: object = {}): Promise<void> {
    this.readyState = 1
    ;(this.onopen as (() => void) | null)?.()
    await this.tell({ t: 'ready', resume: 'ok', ...more })
  }

  async tell(frame: object): Promise<void> {
    ;(this.onmessage as ((event: { data: string }) => void) | null)?.({ data: JSON.stringify(frame) })
    await settle()
  }

  async fail(code = 1006): Promise<void> {
    this.readyState = 3
    ;(this.onclose as ((event: { code: number }) => void) | null)?.({ code })
    await settle()
  }

  said(kind: string): Record<string, unknown>[] {
    return this.sent.filter((one) => one['t'] === kind)
  }
}

export function makeClient(server: Server, more: { [Name in keyof ClientOptions]?: ClientOptions[Name] | undefined } = {}): TrunklineClient {
  return new TrunklineClient({
    server: 'https://desk.example.test', key: 'ak_test_0001', platform: 'ios', version: '3.0.3', fetch: server.fetch,
    WebSocket: Socket as unknown as SocketClass, store: new MemoryStore(), ...more,
  } as ClientOptions)
}

/** Stop the clock and chance, and return a client that has not started, with its server and its store. */
export function begin(): { server: Server; store: MemoryStore; client: TrunklineClient } {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  Socket.made = []
  const server = new Server()
  const store = new MemoryStore()
  return { server, store, client: makeClient(server, { store }) }
}

export function end(client: TrunklineClient): void {
  client.stop()
  vi.useRealTimers()
}

/** Start, with a line that is up to date over a socket. */
export async function connected(client: TrunklineClient): Promise<Socket> {
  await client.start()
  await settle()
  await Socket.newest.accept()
  return Socket.newest
}

/** Let everything that waits for nothing happen. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await vi.advanceTimersByTimeAsync(0)
}

export const pass = async (seconds: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(seconds * 1000)
  await settle()
}
