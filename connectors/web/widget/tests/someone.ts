/** A visitor's conversation on a small server. */
import { vi } from 'vitest'
import { Chat } from '../src/app/chat'
import type { Session } from '../src/app/wire'
import { speak } from '../src/app/more'
import { Socket, serve, type Asked } from './fake'

type Table = Parameters<typeof serve>[0]

export interface Someone {
  chat: Chat
  asked: Asked[]
  /** What the page heard. */
  told: unknown[]
}

/** Bring somebody whose conversation is there, with the words of what comes later. */
export async function someone(table: Table = {}): Promise<Someone> {
  vi.stubGlobal('WebSocket', Socket)
  Socket.made = []
  const asked = serve({
    'GET config': () => ({ body: { locale: 'en', direction: 'ltr', server_time: '2026-05-01T10:00:00Z', features: { submission: true, request_human: true }, theme: {}, limits: {}, inbox: {} } }),
    'GET threads': () => ({ body: { threads: [{ id: 'th_1', live: true }], cursor: 'c0' } }),
    'GET threads/th_1/messages': () => ({ body: { messages: [], has_more: false } }),
    'GET me': () => ({ body: { id: 'ct_1' } }),
    ...table,
  })
  const told: unknown[] = []
  const hello = { trunkline: 1, token: 'vt_test', locale: 'en', dir: 'ltr', form: 'desktop', look: {}, open: true, kept: {}, seen: { views: [] } } as const
  const chat = new Chat('wk_test', { ...hello, seen: { views: [] }, kept: {} }, (word) => void told.push(word), () => undefined)
  await chat.boot()
  await speak(chat)
  return { chat, asked, told }
}

export const session = (more: Partial<Session> = {}): Session =>
  ({ id: 'ss_1', thread_id: 'th_1', state: 'queued', agent: null, queue: { position: 3, ahead: 2, wait_estimate_s: 180 }, rev: 1, ...more })

export const paths = (asked: Asked[], method: string): string[] => asked.filter((one) => one.method === method).map((one) => one.path)
