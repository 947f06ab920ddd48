import { describe, expect, it, vi } from 'vitest'

import type { Events, Moment, Present } from '@/live/events'
import { backoff, LiveFeed, SILENCE_MS, type FeedStatus, type Socket } from '@/live/feed'

import { anEvent } from './samples'

class FakeSocket implements Socket {
  closed = false
  private readonly listeners: Record<string, ((event: { data: unknown }) => void)[]> = {}

  addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
    this.listeners[type] = [...(this.listeners[type] ?? []), listener]
  }

  say(frame: object): void {
    for (const listener of this.listeners['message'] ?? []) listener({ data: JSON.stringify(frame) })
  }

  drop(): void {
    for (const listener of this.listeners['close'] ?? []) listener({ data: null })
  }

  readonly sent: string[] = []

  send(data: string): void {
    this.sent.push(data)
  }

  close(): void {
    this.closed = true
  }
}

function aFeed(change: { ticket?: () => Promise<string>; onReset?: () => Promise<number> } = {}) {
  const sockets: { socket: FakeSocket; cursor: number; at: string | null }[] = []
  const waits: { work: () => void; ms: number; cancelled: boolean }[] = []
  const frames: Events[] = []
  const moments: (Moment | Present)[] = []
  const statuses: FeedStatus[] = []
  const feed = new LiveFeed({
    ticket: change.ticket ?? (() => Promise.resolve('ticket')),
    open: ({ cursor, at }) => {
      const socket = new FakeSocket()
      sockets.push({ socket, cursor, at })
      return socket
    },
    later: (work, ms) => {
      const wait = { work, ms, cancelled: false }
      waits.push(wait)
      return () => { wait.cancelled = true }
    },
    random: () => 1,
    onEvents: (frame) => frames.push(frame),
    onReset: change.onReset ?? (() => Promise.resolve(100)),
    onMoment: (frame) => { moments.push(frame) },
    onStatus: (status) => statuses.push(status),
  })
  /** Lets the pending wait of this length run out. */
  const elapse = async (ms: number) => {
    const wait = waits.findLast((one) => one.ms === ms && !one.cancelled)
    wait?.work()
    await settled()
  }
  const last = () => sockets.at(-1)?.socket as FakeSocket
  return { feed, sockets, waits, frames, moments, statuses, elapse, last }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const events = (cursor: number, ...seqs: number[]) => ({ type: 'events', cursor, events: seqs.map((seq) => anEvent(seq, 'closed', {})) })
const seqsOf = (frames: Events[]) => frames.flatMap((frame) => frame.events.map(({ seq }) => seq))

describe('the live feed', () => {
  it('begins at the cursor it is given and is live when greeted', async () => {
    const { feed, sockets, statuses, last } = aFeed()
    feed.start(10)
    await settled()
    last().say({ type: 'hello', cursor: 10, cursor_at: null, at: new Date().toISOString() })
    expect(sockets[0]?.cursor).toBe(10)
    expect(statuses.at(-1)).toBe('live')
  })

  it('hands on each event once and in order', async () => {
    const { feed, frames, last } = aFeed()
    feed.start(10)
    await settled()
    last().say(events(12, 12, 11))
    last().say(events(13, 12, 13))
    last().say(events(13, 10))
    expect(seqsOf(frames)).toEqual([11, 12, 13])
  })

  it('comes back after a cut and goes on where it stopped', async () => {
    const { feed, sockets, statuses, frames, elapse, last } = aFeed()
    feed.start(10)
    await settled()
    last().say({ type: 'hello', cursor: 10, cursor_at: null, at: new Date().toISOString() })
    last().say(events(12, 11, 12))
    last().drop()
    expect(statuses.at(-1)).toBe('reconnecting')
    await elapse(backoff(0, 1))
    expect(sockets.at(-1)?.cursor).toBe(12)
    last().say({ type: 'hello', cursor: 12, cursor_at: null, at: new Date().toISOString() })
    last().say(events(14, 12, 13, 14))
    expect(seqsOf(frames)).toEqual([11, 12, 13, 14])
    expect(statuses.at(-1)).toBe('live')
  })

  it('says of what time the last event was, so that another log under the same number is noticed', async () => {
    const { feed, sockets, elapse, last } = aFeed()
    feed.start(10)
    await settled()
    expect(sockets.at(-1)?.at).toBeNull()
    last().say({ type: 'hello', cursor: 10, cursor_at: '2026-11-21T10:00:00.000Z', at: new Date().toISOString() })
    last().drop()
    await elapse(backoff(0, 1))
    expect(sockets.at(-1)).toMatchObject({ cursor: 10, at: '2026-11-21T10:00:00.000Z' })
    last().say({ type: 'hello', cursor: 10, cursor_at: '2026-11-21T10:00:00.000Z', at: new Date().toISOString() })
    last().say(events(11, 11))
    last().drop()
    await elapse(backoff(0, 1))
    expect(sockets.at(-1)).toMatchObject({ cursor: 11, at: anEvent(11, 'closed', {}).at })
  })

  it('waits longer after each failure and begins anew after a success', async () => {
    const { feed, waits, elapse, last } = aFeed()
    feed.start(0)
    await settled()
    for (const attempt of [0, 1, 2]) {
      last().drop()
      await elapse(backoff(attempt, 1))
    }
    last().say({ type: 'hello', cursor: 0, cursor_at: null, at: new Date().toISOString() })
    last().drop()
    expect(waits.filter(({ ms }) => ms < SILENCE_MS).map(({ ms }) => ms)).toEqual([500, 1000, 2000, 500])
  })

  it('tries again when no ticket is to be had', async () => {
    const ticket = vi.fn().mockRejectedValueOnce(new Error('down')).mockResolvedValue('ticket')
    const { feed, sockets, elapse } = aFeed({ ticket })
    feed.start(0)
    await settled()
    expect(sockets).toHaveLength(0)
    await elapse(backoff(0, 1))
    expect(sockets).toHaveLength(1)
  })

  it('gives up a connection that has fallen silent', async () => {
    const { feed, statuses, elapse, last } = aFeed()
    feed.start(0)
    await settled()
    const silent = last()
    await elapse(SILENCE_MS)
    expect(silent.closed).toBe(true)
    expect(statuses.at(-1)).toBe('reconnecting')
  })

  it('is kept alive by a ping', async () => {
    const { feed, waits, last } = aFeed()
    feed.start(0)
    await settled()
    const [watch] = waits
    last().say({ type: 'ping' })
    expect(watch?.cancelled).toBe(true)
  })

  it('fetches everything anew after a reset and goes on from there', async () => {
    const onReset = vi.fn().mockResolvedValue(500)
    const { feed, sockets, last } = aFeed({ onReset })
    feed.start(3)
    await settled()
    last().say({ type: 'reset' })
    await settled()
    expect(onReset).toHaveBeenCalledOnce()
    expect(sockets.at(-1)?.cursor).toBe(500)
  })

  it('says nothing more once it is stopped', async () => {
    const { feed, frames, sockets, statuses, last } = aFeed()
    feed.start(0)
    await settled()
    const old = last()
    feed.stop()
    old.say(events(1, 1))
    old.drop()
    expect(frames).toEqual([])
    expect(sockets).toHaveLength(1)
    expect(statuses.at(-1)).toBe('idle')
  })

  it('opens no second connection when it is told to hurry', async () => {
    const { feed, sockets, last, elapse } = aFeed()
    feed.start(0)
    await settled()
    last().drop()
    feed.retryNow()
    await settled()
    await elapse(backoff(0, 1))
    feed.retryNow()
    await settled()
    expect(sockets).toHaveLength(2)
  })

  it('passes over a frame from a newer server', async () => {
    const { feed, frames, last } = aFeed()
    feed.start(0)
    await settled()
    last().say({ type: 'weather', rain: true })
    expect(frames).toEqual([])
  })
})

it('the wait before a new try is spread by chance between half of it and all', () => {
  expect([backoff(0, 0), backoff(0, 1), backoff(3, 0), backoff(3, 1)]).toEqual([250, 500, 2000, 4000])
  expect(backoff(50, 1)).toBe(20_000)
})
