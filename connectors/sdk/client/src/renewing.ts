/** Another token for one that is dead: one attempt at a time, and none in a circle. */
import { now } from './clock.ts'
import { ApiError } from './api.ts'
import type { Renewal } from './outbox.ts'

/** A fresh token that is refused at once is no reason to ask for the next. */
const AGAIN_MS = 10_000

export class Renewing {
  readonly #get: () => Promise<void>
  #busy: Promise<Renewal> | null = null
  #at = 0

  /** `get` gets another token and raises where there is none. */
  constructor(get: () => Promise<void>) {
    this.#get = get
  }

  /** All who need another token wait for the same. */
  renew(): Promise<Renewal> {
    return (this.#busy ??= this.#renewed().finally(() => (this.#busy = null)))
  }

  /** Somebody gets one anyhow: whoever finds the old one dead waits for that. */
  async instead(work: Promise<void>): Promise<void> {
    this.#busy = work.then((): Renewal => 'fresh', (): Renewal => 'later').finally(() => (this.#busy = null))
    await work
  }

  async #renewed(): Promise<Renewal> {
    if (now() - this.#at < AGAIN_MS) return 'later'
    try {
      await this.#get()
      this.#at = now()
      return 'fresh'
    } catch (error) {
      return error instanceof ApiError && !error.passes ? 'never' : 'later'
    }
  }
}
