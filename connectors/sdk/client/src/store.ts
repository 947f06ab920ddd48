/** What must outlive the process: the host gives a store. */

/**
 * Names and texts. A port keeps these in the phone's database; the token belongs into the key chain.
 *
 * `write` is all or nothing: the changes of a page and the cursor that says we have them are written together, so that
 * a crash between them neither loses a message nor makes one twice.
 */
export interface Store {
  read(name: string): Promise<string | null>
  /** Write all of these; null removes. */
  write(entries: Record<string, string | null>): Promise<void>
}

/** Forgets everything with the process. */
export class MemoryStore implements Store {
  readonly kept = new Map<string, string>()

  async read(name: string): Promise<string | null> {
    return this.kept.get(name) ?? null
  }

  async write(entries: Record<string, string | null>): Promise<void> {
    for (const [name, text] of Object.entries(entries)) {
      if (text === null) this.kept.delete(name)
      else this.kept.set(name, text)
    }
  }
}

/** In a browser or web view: one entry of local storage, because only one entry is written at once. */
export class WebStore implements Store {
  readonly #place: string
  readonly #storage: Storage

  constructor(name: string, storage: Storage = localStorage) {
    this.#place = `trunkline.${name}`
    this.#storage = storage
  }

  async read(name: string): Promise<string | null> {
    return this.#all()[name] ?? null
  }

  async write(entries: Record<string, string | null>): Promise<void> {
    const all = Object.entries({ ...this.#all(), ...entries }).filter(([, text]) => text !== null)
    this.#storage.setItem(this.#place, JSON.stringify(Object.fromEntries(all)))
  }

  #all(): Record<string, string> {
    return JSON.parse(this.#storage.getItem(this.#place) ?? '{}') as Record<string, string>
  }
}

/** Bytes of files that wait to be sent. A port keeps paths; this one forgets them with the process. */
export interface Files {
  keep(id: string, file: Blob): Promise<void>
  open(id: string): Promise<Blob | null>
  drop(id: string): Promise<void>
}

export class MemoryFiles implements Files {
  readonly #kept = new Map<string, Blob>()

  async keep(id: string, file: Blob): Promise<void> {
    this.#kept.set(id, file)
  }

  async open(id: string): Promise<Blob | null> {
    return this.#kept.get(id) ?? null
  }

  async drop(id: string): Promise<void> {
    this.#kept.delete(id)
  }
}
