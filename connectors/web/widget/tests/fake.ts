/** A small server and a small socket, as far as the widget uses them. */
import { vi } from 'vitest'
import type { Author, Message } from '../src/app/wire'

export const ME: Author = { kind: 'contact', id: null, name: null }
export const ADA: Author = { kind: 'agent', id: 'ag_1', name: 'Ada' }

export const message = (pos: number, more: Partial<Message> = {}): Message => ({
  id: `ms_${String(pos)}`, thread_id: 'th_1', pos, rev: 1, author: ME, kind: 'text', text: `Number ${String(pos)}`,
  created_at: '2026-05-01T10:00:00.000Z', ...more,
})

export class Socket {
  static made: Socket[] = []
  readyState = 0
  sent: Record<string, unknown>[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null

  constructor(readonly url: string, readonly protocol: string) {
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
  accept(more: object = {}): void {
    this.readyState = 1
    this.onopen?.()
    this.tell({ t: 'ready', resume: 'ok', ...more })
  }

  tell(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }

  fail(code = 1006): void {
    this.readyState = 3
    this.onclose?.({ code })
  }
}

export interface Asked {
  method: string
  path: string
  body: unknown
  headers: Record<string, string>
}

type Answer = { status?: number; body?: unknown } | Error

/** Answer fetch by "METHOD path" (without its query); what is not named gets {}. */
export function serve(table: Record<string, (asked: Asked) => Answer | Promise<Answer>>): Asked[] {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', async (address: string, init: RequestInit) => {
    const path = new URL(address).pathname.replace('/client/v1/', '')
    const one: Asked = {
      method: init.method ?? 'GET', path, headers: init.headers as Record<string, string>,
      body: init.body ? JSON.parse(init.body as string) : undefined,
    }
    asked.push(one)
    const answer = (await table[`${one.method} ${path}`]?.(one)) ?? { body: {} }
    if (init.signal?.aborted) throw new DOMException('gone', 'AbortError')
    if (answer instanceof Error) throw answer
    return new Response(JSON.stringify(answer.body ?? {}), { status: answer.status ?? 200 })
  })
  return asked
}

export const refusal = (status: number, code: string, retry_after?: number): Answer => ({
  status, body: { error: { code, message: code, retry_after } },
})

/** Let everything that waits for nothing happen. */
export const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)
