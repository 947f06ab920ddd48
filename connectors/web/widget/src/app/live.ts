/**
 * The line to the server: a WebSocket, long polling where it is blocked, and the cursor that both share.
 *
 * Two sockets that fail within ten seconds lead to polling; while polling works, a socket is tried again every five
 * minutes. A poll that fails leads back to the socket, later each time. Whatever happens, the cursor says what is missing.
 */
import { now } from '../clock'
import { ApiError, type Api } from './api'
import type { Author, Change, Page, Place, Session } from './wire'

const PING_MS = 25_000
const SILENCE_MS = 35_000
const TWICE_MS = 10_000
/** A network that swallows sockets without a word. */
const HANGS_MS = 10_000
const SOCKET_AGAIN_MS = 300_000
const LONGEST_S = 30
const ACK_MS = 1000

export interface Ears {
  change(change: Change): void
  typing(author: Author): void
  /** Something is told of the session: its place in line, or what there is at the beginning. */
  session(told: Partial<Session> | null): void
  /** The cursor is good for nothing any more: load everything anew and return the new one. */
  reset(): Promise<string>
  /** The token ends soon; who is proved needs a new proof. */
  expiring(): void
  /** The token is dead. */
  dead(): void
  /** Nothing will come any more. */
  closed(code: number): void
  connected(yes: boolean): void
}

interface Frame extends Change, Place {
  t: string
  session?: Session | null
  resume?: string
  author?: Author
  reconnect_after_s?: number
  next_token?: string
}

/** Close codes after which another try is pointless. */
const FINAL = [4400, 4403, 4426]

export class Live {
  cursor = ''
  #seq = 0
  #socket: WebSocket | null = null
  #poll: AbortController | null = null
  #timers: ReturnType<typeof setTimeout>[] = []
  #acking: ReturnType<typeof setTimeout> | undefined
  #running = false
  #tries = 0
  #failures: number[] = []
  #after = 0
  #blocked = false

  constructor(
    readonly api: Api,
    readonly ears: Ears,
    readonly visible: () => boolean,
  ) {}

  start(cursor: string): void {
    this.stop()
    this.cursor = cursor
    this.#seq = this.#tries = 0
    this.#running = true
    this.#connect()
  }

  stop(): void {
    this.#running = false
    clearTimeout(this.#acking)
    this.#acking = undefined
    this.#drop()
  }

  /** Look now whether the line is alive: the network is back, the page is seen again, the machine woke. */
  kick(): void {
    if (!this.#running) return
    if (this.#socket?.readyState === 1) {
      this.send({ t: 'ping', n: 0 })
      this.#later(5000, () => this.#lost(0))
    } else {
      this.#tries = 0
      this.#connect()
    }
  }

  /** Try again later. */
  retry(): void {
    this.#running = true
    this.#wait()
  }

  /** Say something that may get lost; false where there is no socket. */
  send(frame: Record<string, unknown>): boolean {
    if (this.#socket?.readyState !== 1) return false
    this.#socket.send(JSON.stringify(frame))
    return true
  }

  #connect(): void {
    this.#drop()
    const socket = new WebSocket(this.api.socket, 'occ.v1')
    this.#socket = socket
    socket.onopen = () =>
      this.send({
        t: 'hello', token: this.api.token, cursor: this.cursor, platform: 'web', form: this.api.form,
        locale: this.api.locale, protocol: 1, visible: this.visible(),
      })
    socket.onmessage = ({ data }: MessageEvent<string>) => socket === this.#socket && this.#heard(JSON.parse(data) as Frame)
    socket.onclose = ({ code }) => socket === this.#socket && this.#lost(code)
    this.#later(HANGS_MS, () => {
      this.#blocked = true
      this.#lost(0)
    })
  }

  /** Any frame proves that the line is alive: put the end off. */
  #alive(): void {
    this.#clear()
    this.#later(SILENCE_MS, () => this.#lost(0))
    this.#later(PING_MS, () => this.send({ t: 'ping', n: now() }))
  }

  #heard(frame: Frame): void {
    this.#alive()
    switch (frame.t) {
      case 'ready': return this.#ready(frame)
      case 'change': return this.#change(frame)
      case 'typing': return frame.author && this.ears.typing(frame.author)
      case 'queue': return this.ears.session({ state: 'queued', queue: frame })
      case 'auth.expiring': return this.ears.expiring()
      case 'bye': this.#after = frame.reconnect_after_s ?? 0
    }
  }

  #ready(frame: Frame): void {
    this.#tries = 0
    this.#failures = []
    this.#blocked = false
    if (frame.next_token) this.api.follow(frame.next_token)
    if (frame.session !== undefined) this.ears.session(frame.session)
    if (frame.resume === 'reset') void this.#reset()
    else {
      this.#acknowledge()
      this.ears.connected(true)
    }
  }

  #change(change: Change): void {
    if (change.seq <= this.#seq) return
    this.#seq = change.seq
    this.ears.change(change)
    if (!change.cursor) return
    this.cursor = change.cursor
    this.#acking ??= setTimeout(() => this.#acknowledge(), ACK_MS)
  }

  #acknowledge(): void {
    this.#acking = undefined
    this.send({ t: 'ack', cursor: this.cursor })
  }

  async #reset(): Promise<void> {
    try {
      const cursor = await this.ears.reset()
      if (this.#running) this.start(cursor)
    } catch {
      this.#wait()
    }
  }

  #lost(code: number): void {
    this.#drop()
    this.ears.connected(false)
    if (!this.#running) return
    if (code === 4401) return this.ears.dead()
    if (FINAL.includes(code)) {
      this.#running = false
      return this.ears.closed(code)
    }
    this.#failures = [...this.#failures.filter((at) => now() - at < TWICE_MS), now()]
    if (code === 4409 || this.#blocked || this.#failures.length > 1) return void this.#polling()
    this.#wait(code === 4429 ? LONGEST_S : this.#after)
  }

  /** Try again after 1, 2, 4 … 30 s with full jitter, not before `least` seconds. */
  #wait(least = 0): void {
    const most = Math.min(LONGEST_S, 2 ** this.#tries++)
    this.#after = 0
    this.#later((least + Math.random() * most) * 1000, () => this.#connect())
  }

  async #polling(): Promise<void> {
    const poll = (this.#poll = new AbortController())
    const until = now() + SOCKET_AGAIN_MS
    // The first answer comes at once and says whether there is a line at all.
    for (let wait = 0; this.#poll === poll && now() < until; wait = 25) {
      try {
        const path = `changes?cursor=${encodeURIComponent(this.cursor)}&wait=${String(wait)}`
        const page = await this.api.call<Page>('GET', path, undefined, poll.signal)
        if (this.#poll !== poll) return
        this.#blocked = true
        this.#tries = 0
        this.ears.connected(true)
        if (page.reset) return void this.#reset()
        for (const change of page.changes) this.#change(change)
        this.cursor = page.cursor
      } catch (error) {
        if (this.#poll === poll) this.#pollFailed(error as ApiError)
        return
      }
    }
    if (this.#poll === poll) this.#connect()
  }

  #pollFailed(error: ApiError): void {
    this.#poll = null
    this.#blocked = false
    if (error.status === 410) return void this.#reset()
    if (error.status === 401) return this.ears.dead()
    this.ears.connected(false)
    this.#wait(error.retryAfter)
  }

  #later(ms: number, act: () => void): void {
    this.#timers.push(setTimeout(act, ms))
  }

  #clear(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer)
  }

  #drop(): void {
    this.#clear()
    const socket = this.#socket
    this.#socket = null
    socket?.close()
    this.#poll?.abort()
    this.#poll = null
  }
}
