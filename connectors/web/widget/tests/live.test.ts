import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Api } from '../src/app/api'
import { Live, type Ears } from '../src/app/live'
import type { Change } from '../src/app/wire'
import { Socket, refusal, serve, settle } from './fake'

let heard: Change[]
let ears: Ears & Record<string, ReturnType<typeof vi.fn>>
let live: Live

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', Socket)
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  Socket.made = []
  heard = []
  ears = {
    change: vi.fn((change: Change) => void heard.push(change)), typing: vi.fn(), session: vi.fn(), reset: vi.fn(async () => 'fresh'),
    expiring: vi.fn(), dead: vi.fn(), closed: vi.fn(), connected: vi.fn(),
  } as never
  const api = new Api('wk_test')
  api.token = 'vt_test'
  live = new Live(api, ears, () => true)
})

afterEach(() => {
  live.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const change = (seq: number, cursor?: string): Change => ({ seq, cursor, type: 'message.created', data: {} })

test('the token stands in the first frame and never in the address', () => {
  live.start('c0')
  Socket.newest.accept()
  expect(Socket.newest.url).toBe('wss://desk.example.test/client/v1/ws')
  expect(Socket.newest.sent[0]).toMatchObject({ t: 'hello', token: 'vt_test', cursor: 'c0' })
})

test('a change that was had already is dropped, and what was applied is acknowledged once a second', async () => {
  live.start('c0')
  Socket.newest.accept()
  for (const seq of [1, 2, 2, 1]) Socket.newest.tell({ t: 'change', ...change(seq, `c${String(seq)}`) })
  expect(heard.map((one) => one.seq)).toEqual([1, 2])
  expect(live.cursor).toBe('c2')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(Socket.newest.sent.filter((one) => one['t'] === 'ack')).toEqual([{ t: 'ack', cursor: 'c0' }, { t: 'ack', cursor: 'c2' }])
})

test('it asks for life every 25 s, and takes 35 s of silence for the end', async () => {
  live.start('c0')
  const first = Socket.newest
  first.accept()
  await vi.advanceTimersByTimeAsync(25_000)
  expect(first.sent.at(-1)).toMatchObject({ t: 'ping' })
  first.tell({ t: 'pong' })
  await vi.advanceTimersByTimeAsync(34_000)
  expect(Socket.made).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(ears.connected).toHaveBeenLastCalledWith(false)
  expect(Socket.made).toHaveLength(2)
})

test('two sockets that fail within ten seconds lead to polling, which tries a socket again after five minutes', async () => {
  let polls = 0
  serve({
    'GET changes': async () => {
      polls++
      if (polls > 1) await new Promise((done) => setTimeout(done, 25_000))
      return { body: { changes: polls === 1 ? [change(7)] : [], cursor: `p${String(polls)}`, more: false, reset: false } }
    },
  })
  live.start('c0')
  Socket.newest.fail()
  await vi.advanceTimersByTimeAsync(1_000)
  Socket.newest.fail()
  await settle()
  expect(heard.map((one) => one.seq)).toEqual([7])
  expect(ears.connected).toHaveBeenLastCalledWith(true)
  expect(Socket.made).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(305_000)
  expect(Socket.made).toHaveLength(3)
  // While sockets are blocked, one failure is enough to poll again.
  const before = polls
  Socket.newest.fail()
  await settle()
  expect(polls).toBe(before + 1)
})

test('a poll that fails leads back to the socket', async () => {
  serve({ 'GET changes': () => new Error('no network') })
  live.start('c0')
  Socket.newest.fail()
  await vi.advanceTimersByTimeAsync(1_000)
  Socket.newest.fail()
  await vi.advanceTimersByTimeAsync(4_000)
  expect(Socket.made).toHaveLength(3)
  Socket.newest.accept()
  expect(ears.connected).toHaveBeenLastCalledWith(true)
})

test('a cursor that is over means: everything anew, then on with the new one', async () => {
  live.start('c0')
  Socket.newest.accept({ resume: 'reset' })
  await settle()
  expect(ears.reset).toHaveBeenCalledOnce()
  expect(Socket.made).toHaveLength(2)
  Socket.newest.accept()
  expect(Socket.newest.sent[0]).toMatchObject({ cursor: 'fresh' })
})

test('410 of a poll is the same', async () => {
  serve({ 'GET changes': () => refusal(410, 'cursor_expired') as never })
  live.start('c0')
  Socket.newest.fail(4409)
  await settle()
  expect(ears.reset).toHaveBeenCalledOnce()
})

test.each([[4401, 'dead'], [4403, 'closed'], [4426, 'closed']])('close code %i is final until somebody acts', async (code, ear) => {
  live.start('c0')
  Socket.newest.accept()
  Socket.newest.fail(code)
  await vi.advanceTimersByTimeAsync(120_000)
  expect(ears[ear]).toHaveBeenCalledOnce()
  expect(Socket.made).toHaveLength(1)
})

test('a server that says goodbye is not asked before its time', async () => {
  live.start('c0')
  Socket.newest.accept()
  Socket.newest.tell({ t: 'bye', reason: 'draining', reconnect_after_s: 7 })
  Socket.newest.fail(1012)
  await vi.advanceTimersByTimeAsync(6_900)
  expect(Socket.made).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(Socket.made).toHaveLength(2)
})

test('the back-off grows to thirty seconds', async () => {
  serve({ 'GET changes': () => new Error('no network') })
  vi.mocked(Math.random).mockReturnValue(1)
  live.start('c0')
  const seconds: number[] = []
  let last = Date.now()
  for (let made = 1; made < 8; made++) {
    Socket.newest.fail()
    while (Socket.made.length === made) await vi.advanceTimersByTimeAsync(100)
    seconds.push(Math.round((Date.now() - last) / 1000))
    last = Date.now()
  }
  expect(seconds).toEqual([1, 2, 4, 8, 16, 30, 30])
})

test('the back-off is drawn by lot, so that a restart does not bring everybody at once', async () => {
  vi.mocked(Math.random).mockReturnValue(0.1)
  live.start('c0')
  Socket.newest.fail()
  await vi.advanceTimersByTimeAsync(110)
  expect(Socket.made).toHaveLength(2)
})

test('a network that swallows sockets leads to polling after ten seconds', async () => {
  const asked = serve({ 'GET changes': () => new Promise(() => undefined) })
  live.start('c0')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked).toHaveLength(1)
})

test('a token that ends soon is told in time', () => {
  live.start('c0')
  Socket.newest.accept()
  Socket.newest.tell({ t: 'auth.expiring', expires_at: '2026-05-01T10:05:00.000Z' })
  expect(ears.expiring).toHaveBeenCalledOnce()
})

test('a place in line is told in passing, and a session with the beginning', () => {
  live.start('c0')
  Socket.newest.accept({ session: null })
  expect(ears['session']).toHaveBeenLastCalledWith(null)
  Socket.newest.tell({ t: 'queue', position: 3, ahead: 2, wait_estimate_s: 60 })
  expect(ears['session']).toHaveBeenLastCalledWith({ state: 'queued', queue: expect.objectContaining({ position: 3, ahead: 2 }) })
})

test('a wake-up asks a socket whether it lives, and gives it five seconds', async () => {
  live.start('c0')
  Socket.newest.accept()
  live.kick()
  expect(Socket.newest.sent.at(-1)).toMatchObject({ t: 'ping' })
  await vi.advanceTimersByTimeAsync(5_000)
  expect(ears.connected).toHaveBeenLastCalledWith(false)
})

test('after stop nothing happens any more', async () => {
  live.start('c0')
  Socket.newest.accept()
  live.stop()
  live.kick()
  await vi.advanceTimersByTimeAsync(600_000)
  expect(Socket.made).toHaveLength(1)
})
