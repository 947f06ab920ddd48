/** What is kept under which name. */
import type { Waiting } from './outbox.ts'
import { State } from './state.ts'
import type { Store } from './store.ts'
import type { Features, PushDevice } from './types.ts'

/** Who the token is of. */
export interface Who {
  id: string
  verified: boolean
}

export interface KeptDevice {
  id: string
  device: PushDevice
}

interface Entries {
  token: string
  who: Who
  cursor: string
  state: State
  outbox: Waiting[]
  device: KeptDevice
  /** With the version of the client that they were offered to. */
  features: { version: string; features: Features }
}

export class Kept {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async get<Name extends Exclude<keyof Entries, 'state'>>(name: Name): Promise<Entries[Name] | null> {
    return JSON.parse((await this.#store.read(name)) ?? 'null') as Entries[Name] | null
  }

  /**
   * Keep the token that follows one; false where another is kept by now. Several tabs have one store: what one of them
   * became meanwhile must not be overwritten.
   */
  async follow(next: string, was: string): Promise<boolean> {
    const token = await this.get('token')
    if (token === was) await this.set({ token: next })
    return token === was || token === next
  }

  async state(): Promise<State> {
    return State.from(await this.#store.read('state'))
  }

  /** Write all of these at once; null forgets. */
  set(entries: { [Name in keyof Entries]?: Entries[Name] | null }): Promise<void> {
    const texts = Object.entries(entries).map(([name, what]) => [name, what === null ? null : JSON.stringify(what)])
    return this.#store.write(Object.fromEntries(texts) as Record<string, string | null>)
  }
}
