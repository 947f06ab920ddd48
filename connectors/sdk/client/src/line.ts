/**
 * The line to the server: first what was missed, then a WebSocket, or long polling where there is none.
 *
 * Whatever happens, the cursor says what is missing. A line is a loop: catch up by `/changes`, tell that we are up to
 * date (the outbox goes out now, never before), listen until the connection ends, wait, begin again.
 */
import { now, pause } from './clock.ts'
import { ApiError, type Api } from './api.ts'
import type { Renewal } from './outbox.ts'
import type { Author, Change, Features, Page, Place } from './types.ts'

/** As far as we use one; Node 20 has none, then the line polls. */
export interface SocketLike {
  readyState: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(text: string): void
  close(): void
}
export type SocketClass = new (url: string, protocol: string) => SocketLike

export interface Ears {
  /** Apply these and keep the cursor with them, in one write. */
  changes(changes: Change[], cursor: string): Promise<void>
  /** The cursor is good for nothing any more: load everything anew and return the new one. */
  reset(): Promise<string>
  /** Everything that was missed is here; what waits may be sent. */
  caughtUp(): void
  typing(threadId: string, author: Author): void
  queue(place: Place): void
  features(features: Features): void
  /** The token ends soon: whoever is proved needs a new proof. */
  expiring(): void
  /** The token is dead: get another. A fresh one begins a line of its own. */
  renew(): Promise<Renewal>
  connected(how: 'socket' | 'poll' | null): void
  /** Nothing will come any more; the code says why. */
  ended(code: number | string): void
  /** The host's store failed: what could not be kept is read again. */
  broken(error: unknown): void
}

interface Frame extends Change, Place {
  t: string
  resume?: string
  thread_id?: string
  author?: Author
  features?: Features
  next_token?: string
  reconnect_after_s?: number
}

const PING_MS = 25_000
const SILENCE_MS = 35_000
const HELLO_MS = 10_000
const ACK_MS = 1000
const TWICE_MS = 10_000
const SOCKET_AGAIN_MS = 300_000
const POLL_S = 25
const POLL_LEAST_MS = 250
/** Close codes after which another try is pointless: a bug, blocked or withdrawn, too old. */
const FINAL = new Set([4400, 4403, 4426])
/** How long a line that seems to be open has to prove it. */
const PROOF_MS = 5000
const LEAST_S: Record<number, number> = { 4429: 30 }

export class Line {
  cursor = ''
  readonly #api: Api
  readonly #ears: Ears
  readonly #socketClass: SocketClass | undefined
  #visible = true
  #stopping: AbortController | null = null
  #socket: SocketLike | null = null
  #tries = 0
  #failures: number[] = []
  #kick: (() => void) | null = null
  /** Ends the connection unless something is heard in this time. */
  #doubt: ((ms: number) => void) | null = null

  constructor(api: Api, ears: Ears, socketClass?: SocketClass) {
    this.#api = api
    this.#ears = ears
    this.#socketClass = socketClass
  }

  get running(): boolean {
    return this.#stopping !== null
  }

  start(cursor: string): void {
    this.stop()
    this.cursor = cursor
    this.#tries = 0
    this.#failures = []
    const stopping = (this.#stopping = new AbortController())
    void this.#run(stopping.signal)
  }

  stop(): void {
    this.#stopping?.abort()
    this.#stopping = null
    this.#kick?.()
    this.#socket?.close()
    this.#socket = null
  }

  /** Look now whether the line is alive: the network is back, the app is in front again, a push came. */
  kick(): void {
    if (this.#kick !== null) {
      this.#tries = 0
      this.#kick()
    } else if (this.send({ t: 'ping', n: 0 })) this.#doubt?.(PROOF_MS)
  }

  /** In the background a push is wanted though the socket may still be open. */
  set visible(visible: boolean) {
    this.#visible = visible
    this.send({ t: 'visible', visible })
  }

  /** Say something that may get lost; false where there is no socket. */
  send(frame: Record<string, unknown>): boolean {
    if (this.#socket?.readyState !== 1) return false
    this.#socket.send(JSON.stringify(frame))
    return true
  }

  /** Read what was missed, until there is nothing more. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    for (let more = true; more && !signal?.aborted; ) more = await this.#page(0, signal)
  }

  // ------------------------------------------------------------ the loop

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let least = 0
      try {
        await this.catchUp(signal)
        if (signal.aborted) return
        this.#ears.caughtUp()
        least = this.#polls ? await this.#poll(signal) : await this.#listen(signal)
      } catch (error) {
        if (signal.aborted) return
        const wait = await this.#failed(error)
        if (wait === null) return
        least = wait
      }
      if (signal.aborted) return
      this.#ears.connected(null)
      await this.#rest(least, signal)
    }
  }

  /** Whether sockets do not get through here: two that failed within ten seconds, or none at all. */
  get #polls(): boolean {
    return this.#socketClass === undefined || this.#failures.length > 1
  }

  /** Return how long to wait at least; null where the line has ended: what does not pass is not tried again. */
  async #failed(error: unknown): Promise<number | null> {
    if (!(error instanceof ApiError)) {
      this.#ears.broken(error)
      return 0
    }
    if (error.needsToken) return (await this.#ears.renew()) === 'never' ? this.#end(error.code) : 0
    return error.passes ? error.retryAfter : this.#end(error.code)
  }

  #end(code: number | string): null {
    this.#stopping = null
    this.#ears.connected(null)
    this.#ears.ended(code)
    return null
  }

  async #rest(least: number, signal: AbortSignal): Promise<void> {
    if (least >= 0) await this.#sleep(pause(this.#tries++, least) * 1000, signal)
  }

  /** Wait, until a kick or the end. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((done) => {
      const timer = setTimeout(done, ms)
      const wake = (this.#kick = () => {
        clearTimeout(timer)
        done()
      })
      signal.addEventListener('abort', wake, { once: true })
    })
    this.#kick = null
  }

  // ------------------------------------------------------------ polling

  async #page(wait: number, signal?: AbortSignal): Promise<boolean> {
    const query = `cursor=${encodeURIComponent(this.cursor)}&limit=200&wait=${String(wait)}`
    let page: Page
    try {
      page = await this.#api.call<Page>('GET', `/changes?${query}`, undefined, signal)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 410) throw error
      this.cursor = await this.#ears.reset()
      return false
    }
    if (signal?.aborted) return false
    if (page.changes.length > 0 || page.cursor !== this.cursor) await this.#ears.changes(page.changes, page.cursor)
    this.cursor = page.cursor
    return page.more
  }

  /** Poll, until it is time to try a socket again. A poll with a cursor says that we have everything up to it. */
  async #poll(signal: AbortSignal): Promise<number> {
    this.#ears.connected('poll')
    this.#tries = 0
    const until = now() + SOCKET_AGAIN_MS
    while (!signal.aborted && (this.#socketClass === undefined || now() < until)) {
      const began = now()
      await this.#page(POLL_S, signal)
      // A server, or something before it, that does not wait must not be asked in a circle.
      if (now() - began < POLL_LEAST_MS) await this.#sleep(POLL_LEAST_MS, signal)
    }
    this.#failures = []
    return -1
  }

  // ------------------------------------------------------------ the socket

  /** Listen until the connection ends; returns how long to wait at least, below 0 for not at all. */
  #listen(signal: AbortSignal): Promise<number> {
    const Socket = this.#socketClass as SocketClass
    const socket = (this.#socket = new Socket(this.#api.socket, 'occ.v1'))
    const heard: Heard = { after: 0, ready: false, work: Promise.resolve(), acking: undefined, timers: [] }
    return new Promise<number>((done, refuse) => {
      const close = (code: number): void => {
        this.#doubt = null
        socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null
        this.#clear(heard)
        clearTimeout(heard.acking)
        if (this.#socket === socket) this.#socket = null
        socket.close()
        // What was told is applied before the line begins anew.
        heard.work.then(() => this.#closed(code, heard, signal), () => 0).then(done, refuse)
      }
      const late = (ms: number): void => void heard.timers.push(setTimeout(() => close(0), ms))
      this.#doubt = late
      late(HELLO_MS)
      signal.addEventListener('abort', () => close(1000), { once: true })
      socket.onopen = () => this.#hello()
      socket.onerror = () => undefined
      socket.onclose = (event: { code: number }) => close(event.code)
      socket.onmessage = (event: { data: string }) => {
        this.#clear(heard)
        late(SILENCE_MS)
        heard.timers.push(setTimeout(() => this.send({ t: 'ping', n: now() }), PING_MS))
        heard.work = heard.work.then(() => this.#heard(JSON.parse(event.data) as Frame, heard))
        heard.work.catch((error: unknown) => {
          if (!(error instanceof ApiError)) this.#ears.broken(error)
          close(0)
        })
      }
    })
  }

  #hello(): void {
    const { platform, version } = this.#api.options
    const known = { token: this.#api.token, cursor: this.cursor, locale: this.#api.locale, form: 'mobile' }
    this.send({ t: 'hello', ...known, platform, version, protocol: 1, visible: this.#visible })
  }

  async #heard(frame: Frame, heard: Heard): Promise<void> {
    switch (frame.t) {
      case 'ready': return this.#ready(frame, heard)
      case 'change': return this.#change(frame, heard)
      case 'typing':
        return void (frame.author && this.#ears.typing(frame.thread_id ?? '', frame.author))
      case 'queue': return this.#ears.queue({ position: frame.position, ahead: frame.ahead, wait_estimate_s: frame.wait_estimate_s })
      case 'auth.expiring': return this.#ears.expiring()
      case 'bye': heard.after = frame.reconnect_after_s ?? 0
    }
  }

  async #ready(frame: Frame, heard: Heard): Promise<void> {
    heard.ready = true
    this.#tries = 0
    this.#failures = []
    if (frame.features) this.#ears.features(frame.features)
    if (frame.next_token && this.#api.token !== null) void this.#api.follow(frame.next_token, this.#api.token)
    if (frame.resume === 'reset') this.cursor = await this.#ears.reset()
    this.#ears.connected('socket')
    this.send({ t: 'ack', cursor: this.cursor })
  }

  async #change(change: Frame, heard: Heard): Promise<void> {
    const cursor = change.cursor ?? this.cursor
    await this.#ears.changes([change], cursor)
    this.cursor = cursor
    // Told at most once a second: everything up to here is applied and kept.
    heard.acking ??= setTimeout(() => {
      heard.acking = undefined
      this.send({ t: 'ack', cursor: this.cursor })
    }, ACK_MS)
  }

  async #closed(code: number, heard: Heard, signal: AbortSignal): Promise<number> {
    if (signal.aborted) return 0
    if (code === 4401) return (await this.#ears.renew()) === 'never' ? this.#over(code) : 0
    if (FINAL.has(code)) return this.#over(code)
    if (!heard.ready) this.#failures = [...this.#failures.filter((at) => now() - at < TWICE_MS), now()]
    // Too many of us listen, or a network swallows sockets without a word: poll.
    if (code === 4409 || (code === 0 && !heard.ready)) this.#failures = [now(), now()]
    if (code === 4409 || code === 4413) return -1
    return LEAST_S[code] ?? heard.after
  }

  #over(code: number): number {
    this.#stopping?.abort()
    this.#end(code)
    return 0
  }

  #clear(heard: Heard): void {
    for (const timer of heard.timers.splice(0)) clearTimeout(timer)
  }
}

/** What one connection has told so far. */
interface Heard {
  after: number
  ready: boolean
  /** Frames are applied one after another. */
  work: Promise<void>
  acking: ReturnType<typeof setTimeout> | undefined
  timers: ReturnType<typeof setTimeout>[]
}
