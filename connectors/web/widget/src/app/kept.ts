/** What must survive a reload. */

/** Where things stay when the browser forbids storage inside a frame of another site: with the page. */
export interface Aside {
  known: Record<string, string>
  keep(name: string, text: string): void
}

export class Kept {
  constructor(
    readonly key: string,
    readonly name: 'draft' | 'outbox' | 'form' | 'session',
    readonly aside: Aside,
  ) {}

  get<T>(): T | null {
    let text: string | null | undefined
    try {
      text = this.#storage.getItem(this.#place)
    } catch {
      text = this.aside.known[this.name]
    }
    return text ? (JSON.parse(text) as T) : null
  }

  set(value: unknown): void {
    const text = JSON.stringify(value)
    try {
      this.#storage.setItem(this.#place, text)
    } catch {
      this.aside.known[this.name] = text
      this.aside.keep(this.name, text)
    }
  }

  get #place(): string {
    return `trunkline.${this.name}.${this.key}`
  }

  /** What is being written is this tab's; what was said waits for whichever tab comes first. */
  get #storage(): Storage {
    return /draft|form/.test(this.name) ? sessionStorage : localStorage
  }
}
