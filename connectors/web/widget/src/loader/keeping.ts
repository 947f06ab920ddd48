/** Where the visitor's token stays: a first-party cookie, else local storage, else this page's memory. */

const MONTHS_S = 180 * 86400

/** Run what a browser may forbid; storage throws where it is switched off. */
export function attempt<T>(act: () => T): T | null {
  try {
    return act()
  } catch {
    return null
  }
}

export class Keeping {
  #memory: string | null = null
  readonly #name: string
  readonly #domain: string

  constructor(key: string, domain: string) {
    this.#name = `occ_${key}`
    this.#domain = domain
  }

  read(): string | null {
    return this.#cookie() ?? attempt(() => localStorage.getItem(this.#name)) ?? this.#memory
  }

  write(token: string | null): void {
    this.#memory = token
    const end = token ? MONTHS_S : 0
    const more = (this.#domain && `;domain=${this.#domain}`) + (location.protocol === 'https:' ? ';Secure' : '')
    attempt(() => (document.cookie = `${this.#name}=${token ?? ''};path=/;max-age=${end};SameSite=Lax${more}`))
    const isKept = this.#cookie() === token
    attempt(() => {
      if (token && !isKept) localStorage.setItem(this.#name, token)
      else localStorage.removeItem(this.#name)
    })
  }

  /** Whether the panel was open in this tab; told a value, keeps it. */
  open(value?: boolean): boolean {
    const name = `${this.#name}_open`
    if (value !== undefined) attempt(() => sessionStorage.setItem(name, value ? '1' : ''))
    return attempt(() => sessionStorage.getItem(name)) === '1'
  }

  /** What the frame cannot keep itself, for this tab; told something new, keeps it. */
  kept(name = '', text = ''): Record<string, string> {
    const place = `${this.#name}_kept`
    const all = JSON.parse(attempt(() => sessionStorage.getItem(place)) ?? '{}') as Record<string, string>
    if (name) attempt(() => sessionStorage.setItem(place, JSON.stringify({ ...all, [name]: text })))
    return all
  }

  #cookie(): string | null {
    const found = attempt(() => document.cookie.split('; ').find((one) => one.startsWith(`${this.#name}=`)))
    return found?.slice(this.#name.length + 1) || null
  }
}
