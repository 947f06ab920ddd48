/**
 * What was said and the server does not have yet.
 *
 * An item is stored before its first attempt and keeps its id until there is an answer: however often it is sent, there
 * is one message. States: pending, then gone (it is a message now) or failed for good. One request is under way per
 * thread, so the order stays.
 */
import { isoNow, pause } from './clock.ts'
import { ApiError, type Api } from './api.ts'
import type { Files } from './store.ts'
import type { Draft, Message } from './types.ts'

export interface Waiting extends Draft {
  client_id: string
  kind: string
  /** "live", or the id of a thread. */
  thread: string
  at: string
  state: 'pending' | 'failed'
  /** Why it failed for good: the server's code. */
  problem?: string
  /** A file that is still to be uploaded. */
  file?: { name: string; mime: string }
  attachments?: { upload_id: string }[]
  /** The answer to a button. */
  press?: { message_id: string; action_id: string; value?: string }
}

/** Whether there is a fresh token, there may be one later, or there will be none until the host acts. */
export type Renewal = 'fresh' | 'later' | 'never'

export interface OutboxEars {
  /** Keep this; resolves when it is safe. */
  keep(items: Waiting[]): Promise<void>
  /** The server has it. */
  sent(item: Waiting, message: Message): Promise<void>
  changed(): void
  /** A new token is needed. */
  renew(): Promise<Renewal>
  /** The host's store or files failed: nothing is sent until the next `flush`. */
  broken(error: unknown): void
}

export class Outbox {
  items: Waiting[] = []
  readonly #api: Api
  readonly #files: Files
  readonly #ears: OutboxEars
  /** What is under way, by thread. */
  #busy = new Map<string, Promise<void>>()
  #timers = new Map<string, ReturnType<typeof setTimeout>>()
  #tries = new Map<string, number>()
  #open = false

  constructor(api: Api, files: Files, ears: OutboxEars) {
    this.#api = api
    this.#files = files
    this.#ears = ears
  }

  /** Store one; it is sent as soon as it may. */
  async add(draft: Draft & Partial<Waiting>, file?: Blob): Promise<Waiting> {
    const item: Waiting = {
      kind: 'text', thread: 'live', ...draft, client_id: crypto.randomUUID(), at: isoNow(), state: 'pending',
    }
    if (file !== undefined) await this.#files.keep(item.client_id, file)
    this.items.push(item)
    await this.#changed()
    this.#work(item.thread)
    return item
  }

  /** Begin to send, after what others said meanwhile was read. */
  flush(): void {
    this.#open = true
    for (const thread of new Set(this.items.map((one) => one.thread))) this.#work(thread)
  }

  /** Send nothing for now. What is under way comes to its end. */
  pause(): void {
    this.#open = false
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  /** Wait until what is under way has come to its end. */
  async idle(): Promise<void> {
    await Promise.all(this.#busy.values())
  }

  /** Try one that failed once more; its id stays, so nothing is said twice. */
  async again(clientId: string): Promise<void> {
    const item = this.items.find((one) => one.client_id === clientId)
    if (item === undefined) return
    item.state = 'pending'
    delete item.problem
    await this.#changed()
    this.#work(item.thread)
  }

  /** Forget one: it was discarded, or it came back as a message. */
  async drop(clientId: string): Promise<void> {
    if (!this.items.some((one) => one.client_id === clientId)) return
    this.items = this.items.filter((one) => one.client_id !== clientId)
    await this.#files.drop(clientId)
    await this.#changed()
  }

  async clear(): Promise<void> {
    for (const one of this.items) await this.#files.drop(one.client_id)
    this.items = []
    await this.#changed()
  }

  #work(thread: string): void {
    if (!this.#open || this.#busy.has(thread)) return
    clearTimeout(this.#timers.get(thread))
    this.#timers.delete(thread)
    const work = this.#send(thread).catch((error: unknown) => this.#ears.broken(error))
    this.#busy.set(thread, work.finally(() => this.#busy.delete(thread)))
  }

  async #send(thread: string): Promise<void> {
    let item: Waiting | undefined
    while (this.#open && (item = this.items.find((one) => one.thread === thread && one.state === 'pending'))) {
      const token = this.#api.token
      if (token === null) return
      try {
        await this.#say(item)
        this.#tries.delete(thread)
      } catch (error) {
        // Who it is changed meanwhile: that is no fault of the new token.
        if (error instanceof ApiError && token !== this.#api.token) continue
        if (!(error instanceof ApiError)) throw error
        if (await this.#refused(item, error)) return
      }
    }
  }

  async #say(item: Waiting): Promise<void> {
    if (item.file !== undefined) await this.#upload(item)
    const { client_id, press } = item
    const path = `/threads/${encodeURIComponent(item.thread)}`
    const answer = press
      ? await this.#api.call<{ message: Message }>('POST', `${path}/postback`, { client_id, ...press })
      : await this.#api.call<{ message: Message }>('POST', `${path}/messages`, bodyOf(item))
    await this.#ears.sent(item, answer.message)
    await this.drop(client_id)
  }

  async #upload(item: Waiting): Promise<void> {
    const bytes = await this.#files.open(item.client_id)
    if (bytes === null) throw new ApiError(422, { error: { code: 'file_gone', message: 'The file is not here any more.' } })
    const form = new FormData()
    form.append('file', new Blob([bytes], { type: item.file?.mime ?? '' }), item.file?.name ?? 'file')
    const upload = await this.#api.call<{ upload_id: string; kind: string }>('POST', '/uploads', form)
    item.kind = upload.kind
    item.attachments = [{ upload_id: upload.upload_id }]
    delete item.file
    await this.#changed()
  }

  /** Return whether to stop for now. */
  async #refused(item: Waiting, error: ApiError): Promise<boolean> {
    const tries = this.#tries.get(item.thread) ?? 0
    this.#tries.set(item.thread, tries + 1)
    const renewal = error.needsToken && tries < 2 ? await this.#ears.renew() : 'later'
    if (error.needsToken && renewal === 'fresh') return false
    if (error.needsToken && renewal === 'never') return true
    if (error.passes || error.needsToken) {
      this.#timers.set(item.thread, setTimeout(() => this.#work(item.thread), pause(tries, error.retryAfter) * 1000))
      return true
    }
    // Another device pressed the button: the card is answered, as it was meant to be.
    if (error.code === 'card_answered') {
      await this.drop(item.client_id)
      return false
    }
    item.state = 'failed'
    item.problem = error.code
    this.#tries.delete(item.thread)
    await this.#changed()
    return false
  }

  async #changed(): Promise<void> {
    await this.#ears.keep(this.items)
    this.#ears.changed()
  }
}

/** What the server is told of an item. */
function bodyOf(item: Waiting): object {
  const { client_id, kind, text, quoted_id, attachments, latitude, longitude, title, metadata } = item
  return { client_id, kind, text, quoted_id, attachments, latitude, longitude, title, metadata }
}
