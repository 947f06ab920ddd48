import type { Events, Frame, Moment, Present } from './events'
import { readFrame } from './events'
import { followServer } from '@/clock'

/** The part of a WebSocket that the feed needs, so that tests can give it another. */
export interface Socket {
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener(type: 'close', listener: () => void): void
  send(data: string): void
  close(): void
}

/** The last event that we know. Its time tells the server whether its log is still the same one: a backup may have been put back. */
export interface Place { cursor: number; at: string | null }

export type FeedStatus = 'idle' | 'connecting' | 'live' | 'reconnecting'

export interface FeedParts {
  /** Asks for a ticket; rejects when there is none to be had now. */
  ticket: () => Promise<string>
  open: (place: Place, ticket: string) => Socket
  /** Runs `work` after `ms`; the answer cancels it. */
  later: (work: () => void, ms: number) => () => void
  /** From 0 to 1. */
  random: () => number
  onEvents: (frame: Events) => void
  /** The log no longer reaches back to our cursor: everything must be fetched anew. Resolves with the cursor to go on from. */
  onReset: () => Promise<number>
  onStatus: (status: FeedStatus) => void
  /** What is told and not kept; it may be missed. */
  onMoment: (frame: Moment | Present) => void
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 20_000
/** Two pings of the server and a bit: a connection that is silent for longer is dead. */
export const SILENCE_MS = 45_000

/** Between half of the doubling wait and all of it, so that a thousand tabs do not return at once. */
export function backoff(attempt: number, random: number): number {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt)
  return wait / 2 + (wait / 2) * random
}

/**
 * The live feed: one connection that comes back by itself and goes on where it stopped.
 * It knows nothing of what the events mean; `onEvents` gets each once and in order.
 */
export class LiveFeed {
  private place: Place = { cursor: 0, at: null }
  private attempt = 0
  /** Grows with every connection; what belongs to an older one is no longer listened to. */
  private generation = 0
  private socket: Socket | null = null
  private cancelRetry: () => void = () => undefined
  private cancelWatch: () => void = () => undefined
  private running = false
  /** Whether the server said who is there: only one that does understands what we say of ourselves. */
  private listensToUs = false

  constructor(private readonly parts: FeedParts) {}

  start(cursor: number): void {
    this.stop()
    this.place = { cursor, at: null }
    this.attempt = 0
    this.running = true
    this.parts.onStatus('connecting')
    void this.connect()
  }

  stop(): void {
    this.running = false
    this.hangUp()
    this.parts.onStatus('idle')
  }

  /** Tells the server where we look and whether we type; false when nobody hears it. */
  say(frame: object): boolean {
    if (!this.listensToUs || this.socket === null) return false
    this.socket.send(JSON.stringify(frame))
    return true
  }

  /** Do not wait for the next try: the network is back or the agent asked. */
  retryNow(): void {
    if (!this.running || this.socket !== null) return
    this.hangUp()
    void this.connect()
  }

  private hangUp(): void {
    this.generation += 1
    this.cancelRetry()
    this.cancelWatch()
    const socket = this.socket
    this.socket = null
    this.listensToUs = false
    socket?.close()
  }

  private async connect(): Promise<void> {
    const mine = ++this.generation
    try {
      const ticket = await this.parts.ticket()
      if (mine === this.generation) this.listen(this.parts.open(this.place, ticket), mine)
    } catch {
      // The status tells it and the next try is on its way: a refusal of the token itself ends the session elsewhere.
      if (mine === this.generation) this.retryLater()
    }
  }

  private listen(socket: Socket, mine: number): void {
    this.socket = socket
    this.watch()
    socket.addEventListener('message', ({ data }) => {
      if (mine === this.generation) this.receive(String(data))
    })
    socket.addEventListener('close', () => {
      if (mine === this.generation) this.lost()
    })
  }

  private receive(text: string): void {
    this.watch()
    const frame = readFrame(text)
    if (frame !== null) this.handle(frame)
  }

  private handle(frame: Frame): void {
    switch (frame.type) {
      case 'reset':
        void this.reset()
        break
      case 'hello':
        followServer(frame.at)
        this.place = { cursor: frame.cursor, at: frame.cursor_at }
        this.greeted()
        break
      case 'events':
        this.pass(frame)
        break
      case 'present':
        this.listensToUs = true
        this.parts.onMoment(frame)
        break
      case 'moment':
        this.parts.onMoment(frame)
        break
      case 'ping':
        break
    }
  }

  private greeted(): void {
    this.attempt = 0
    this.parts.onStatus('live')
  }

  private pass(frame: Events): void {
    const events = frame.events.filter((event) => event.seq > this.place.cursor).sort((a, b) => a.seq - b.seq)
    const last = events.at(-1)
    if (last !== undefined) this.place = { cursor: last.seq, at: last.at }
    if (frame.cursor > this.place.cursor) this.place = { cursor: frame.cursor, at: null }
    if (events.length > 0) this.parts.onEvents({ ...frame, events })
  }

  private async reset(): Promise<void> {
    this.hangUp()
    const mine = this.generation
    this.parts.onStatus('reconnecting')
    try {
      const cursor = await this.parts.onReset()
      if (mine !== this.generation) return
      this.place = { cursor, at: null }
      void this.connect()
    } catch {
      // Refetching failed as well: the next connection will be told to reset again.
      if (mine === this.generation) this.retryLater()
    }
  }

  private lost(): void {
    this.hangUp()
    this.retryLater()
  }

  private retryLater(): void {
    if (!this.running) return
    this.parts.onStatus('reconnecting')
    const wait = backoff(this.attempt, this.parts.random())
    this.attempt += 1
    this.cancelRetry = this.parts.later(() => { void this.connect() }, wait)
  }

  private watch(): void {
    this.cancelWatch()
    this.cancelWatch = this.parts.later(() => { this.lost() }, SILENCE_MS)
  }
}
