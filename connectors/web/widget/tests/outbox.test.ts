import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Api } from '../src/app/api'
import { Kept } from '../src/app/kept'
import { Outbox } from '../src/app/outbox'
import type { Message } from '../src/app/wire'
import { message, refusal, serve, settle, type Asked } from './fake'

let sent: Message[]
/** What the page keeps for the frame. */
let page: Record<string, string>
let renewed: ReturnType<typeof vi.fn<() => Promise<boolean>>>

function outbox(): Outbox {
  const api = new Api('wk_test')
  api.token = 'vt_test'
  const desk = { changed: () => undefined, sent: (one: Message) => void sent.push(one), renewed }
  return new Outbox(api, desk, new Kept('wk_test', 'outbox', { known: page, keep: (name, text) => void (page[name] = text) }))
}

const taken = (asked: Asked) => ({ status: 201, body: { message: message(1, asked.body as object), seq: 1, replayed: false } })
const ids = (asked: Asked[]): unknown[] => asked.map((one) => (one.body as { client_id: string }).client_id)

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  localStorage.clear()
  sent = []
  page = {}
  renewed = vi.fn(async () => true)
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('one is under way at a time, in order', async () => {
  let busy = 0
  const asked = serve({
    'POST threads/live/messages': async (one) => {
      expect(++busy).toBe(1)
      await new Promise((done) => setTimeout(done, 50))
      busy--
      return taken(one)
    },
  })
  const box = outbox()
  for (const text of ['a', 'b', 'c']) box.add({ kind: 'text', text }, 'ct_1')
  await vi.advanceTimersByTimeAsync(500)
  expect(asked.map((one) => (one.body as { text: string }).text)).toEqual(['a', 'b', 'c'])
  expect(box.items).toEqual([])
  expect(sent).toHaveLength(3)
})

test('without an answer the same id is sent again, and nothing else before it', async () => {
  let failures = 2
  const asked = serve({ 'POST threads/live/messages': (one) => (failures-- > 0 ? new Error('cut') : taken(one)) })
  const box = outbox()
  box.add({ kind: 'text', text: 'a' }, 'ct_1')
  box.add({ kind: 'text', text: 'b' }, 'ct_1')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked).toHaveLength(4)
  expect(new Set(ids(asked.slice(0, 3))).size).toBe(1)
  expect(sent.map((one) => one.text)).toEqual(['a', 'b'])
})

test('what is refused for good stops, and goes again with the same id when the visitor says so', async () => {
  let refused = true
  const asked = serve({ 'POST threads/live/messages': (one) => (refused ? (refusal(422, 'text_too_long') as never) : taken(one)) })
  const box = outbox()
  box.add({ kind: 'text', text: 'a' }, 'ct_1')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(1)
  expect(box.items[0]).toMatchObject({ state: 'failed', problem: 'text_too_long' })
  refused = false
  box.again(box.items[0]?.client_id ?? '')
  await settle()
  expect(sent).toHaveLength(1)
  expect(new Set(ids(asked)).size).toBe(1)
})

test('a server that asks for time gets it', async () => {
  let first = true
  const asked = serve({
    'POST threads/live/messages': (one) => {
      if (!first) return taken(one)
      first = false
      return refusal(429, 'rate_limited', 20) as never
    },
  })
  const box = outbox()
  box.add({ kind: 'text', text: 'a' }, 'ct_1')
  await vi.advanceTimersByTimeAsync(20_000)
  expect(asked).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(asked).toHaveLength(2)
})

test('a dead token is renewed and the same message goes out', async () => {
  let dead = true
  renewed.mockImplementation(async () => {
    dead = false
    return true
  })
  serve({ 'POST threads/live/messages': (one) => (dead ? (refusal(401, 'token_expired') as never) : taken(one)) })
  const box = outbox()
  box.add({ kind: 'text', text: 'a' }, 'ct_1')
  await settle()
  await settle()
  expect(renewed).toHaveBeenCalledOnce()
  expect(sent).toHaveLength(1)
})

test('what was not sent survives a reload, for the same visitor only', async () => {
  serve({ 'POST threads/live/messages': () => new Error('cut') })
  outbox().add({ kind: 'text', text: 'kept' }, 'ct_1')
  await settle()
  serve({ 'POST threads/live/messages': taken })
  const other = outbox()
  other.restore('ct_2')
  expect(other.items).toEqual([])
  const same = outbox()
  same.restore('ct_1')
  expect(same.items.map((one) => one.text)).toEqual(['kept'])
  await settle()
  expect(sent.map((one) => one.text)).toEqual(['kept'])
})

test('a button that another tab has pressed is no failure', async () => {
  serve({ 'POST threads/live/postback': () => refusal(409, 'card_answered') as never })
  const box = outbox()
  box.add({ kind: 'text', text: 'Yes', message_id: 'ms_1', action_id: 'q0' }, 'ct_1')
  await settle()
  expect(box.items).toEqual([])
})

test('where storage is forbidden, the page keeps what was not sent', async () => {
  for (const call of ['setItem', 'getItem'] as const) {
    vi.spyOn(Storage.prototype, call).mockImplementation(() => {
      throw new DOMException('no', 'SecurityError')
    })
  }
  serve({ 'POST threads/live/messages': () => new Error('cut') })
  outbox().add({ kind: 'text', text: 'kept' }, 'ct_1')
  await settle()
  expect(page['outbox']).toContain('kept')
  serve({ 'POST threads/live/messages': taken })
  outbox().restore('ct_1')
  await settle()
  expect(sent.map((one) => one.text)).toEqual(['kept'])
  expect(page['outbox']).toBe('[]')
})
