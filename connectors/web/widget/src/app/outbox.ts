/**
 * What the visitor said and the server does not have yet: one at a time, in order, with the same id until it is in.
 *
 * Without an answer it stays and is tried again; an answer that will not change stops it until the visitor says so.
 */
import { iso } from '../clock'
import { ApiError, type Api } from './api'
import type { Kept } from './kept'
import type { Attachment, Message, Saying } from './wire'

export interface Waiting extends Saying {
  at: string
  owner: string
  state: 'pending' | 'failed'
  /** Code of the error that stopped it. */
  problem?: string
  /** A file that is not uploaded yet; it does not survive a reload. */
  file?: File
  /** An address that shows the file. */
  preview?: string
  /** How much of the file is there, 0 to 1. */
  progress?: number
}

interface Upload extends Attachment {
  upload_id: string
  kind: string
}

export interface Desk {
  changed(): void
  sent(message: Message): void
  /** A new token is needed; false where there is none to be had. */
  renewed(): Promise<boolean>
}

export class Outbox {
  items: Waiting[] = []
  #busy = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #tries = 0

  constructor(
    readonly api: Api,
    readonly desk: Desk,
    readonly kept: Kept,
  ) {}

  /** Take up what was left; only what the same visitor said. */
  restore(owner: string): void {
    const left = this.kept.get<Waiting[]>() ?? []
    const known = new Set(this.items.map((one) => one.client_id))
    this.items = [...left.filter((one) => one.owner === owner && !known.has(one.client_id)), ...this.items]
    this.flush()
  }

  add(saying: Omit<Saying, 'client_id'>, owner: string, file?: File, preview?: string): void {
    const one: Waiting = { ...saying, client_id: crypto.randomUUID(), at: iso(), owner, state: 'pending' }
    this.items.push(file ? { ...one, file, preview } : one)
    this.#changed()
    this.flush()
  }

  again(clientId: string): void {
    for (const one of this.items) if (one.client_id === clientId) one.state = 'pending'
    this.#changed()
    this.flush()
  }

  /** Forget one: it was discarded, or it came back as a message. */
  drop(clientId: string): void {
    const length = this.items.length
    this.items = this.items.filter((one) => one.client_id !== clientId)
    if (this.items.length < length) this.#changed()
  }

  clear(): void {
    this.items = []
    this.#changed()
  }

  /** Send what can be sent, now. */
  flush(): void {
    clearTimeout(this.#timer)
    if (!this.#busy) void this.#work()
  }

  async #work(): Promise<void> {
    this.#busy = true
    let next: Waiting | undefined
    while (this.api.token && (next = this.items.find((one) => one.state === 'pending'))) {
      const token = this.api.token
      try {
        await this.#say(next)
        this.#tries = 0
      } catch (error) {
        // Who it is changed meanwhile: that is no fault of the new token.
        if ((error as ApiError).status === 401 && token !== this.api.token) continue
        if (await this.#refused(next, error as ApiError)) break
      }
    }
    this.#busy = false
  }

  async #say(one: Waiting): Promise<void> {
    if (one.file) await this.#upload(one)
    const { client_id, kind, text, attachments, message_id, action_id, value } = one
    const answer = message_id
      ? await this.api.call<{ message: Message }>('POST', 'threads/live/postback', { client_id, message_id, action_id, value })
      : await this.api.call<{ message: Message }>('POST', 'threads/live/messages', { client_id, kind, text, attachments })
    this.drop(one.client_id)
    this.desk.sent(answer.message)
  }

  async #upload(one: Waiting): Promise<void> {
    const upload = await this.api.upload<Upload>(one.file as File, (part) => {
      one.progress = part
      this.desk.changed()
    })
    one.kind = upload.kind
    one.attachments = [{ upload_id: upload.upload_id }]
    delete one.file
    this.#changed()
  }

  /** Return whether to stop for now. */
  async #refused(one: Waiting, error: ApiError): Promise<boolean> {
    if (error.status === 401 && this.#tries++ < 2 && (await this.desk.renewed())) return false
    if (error.passes || error.status === 401) {
      const most = Math.min(30, 2 ** this.#tries++)
      this.#timer = setTimeout(() => this.flush(), (error.retryAfter + Math.random() * most) * 1000)
      return true
    }
    // Another tab pressed the button: the card is answered, as it was meant to be.
    if (error.code === 'card_answered') {
      this.drop(one.client_id)
      return false
    }
    one.state = 'failed'
    one.problem = error.code
    this.#changed()
    return false
  }

  #changed(): void {
    const left = this.items.filter((one) => !one.file)
    this.kept.set(left.map((one) => ({ ...one, preview: undefined, progress: undefined })))
    this.desk.changed()
  }
}
