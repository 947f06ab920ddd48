/** This phone, as the server knows it: where a push may wake the app. */
import type { Api } from './api.ts'
import type { Kept } from './kept.ts'
import type { PushDevice } from './types.ts'

export class Devices {
  readonly #api: Api
  readonly #kept: Kept

  constructor(api: Api, kept: Kept) {
    this.#api = api
    this.#kept = kept
  }

  /** The id that this installation has made for itself, once it has. */
  async id(): Promise<string | undefined> {
    return (await this.#kept.get('device'))?.id
  }

  async keep(device: PushDevice): Promise<void> {
    await this.#kept.set({ device: { id: (await this.id()) ?? crypto.randomUUID(), device } })
  }

  /** Tell the server, for the token that we have now. What fails is told again at the next start. */
  async tell(): Promise<boolean> {
    const known = await this.#kept.get('device')
    if (known === null || this.#api.token === null) return false
    const body = { enabled: true, ...known.device }
    return this.#api.call('PUT', `/devices/${known.id}`, body).then(() => true, () => false)
  }

  async drop(): Promise<void> {
    const id = await this.id()
    if (id !== undefined) await this.#api.call('DELETE', `/devices/${id}`)
    await this.#kept.set({ device: null })
  }
}
