/**
 * Which pages the visitor saw: told to the frame, sent only when there is a conversation.
 *
 * What waits is kept for this tab, so that whoever writes on the fifth page is still known to have come by the first.
 */
import { iso } from '../clock'
import type { Seen, View } from '../port'
import { attempt } from './keeping'

const SECRET = /token|code|pass|secret|auth|session|sig|key|mail|phone/i
const MOST = 20

/** Return an address without its fragment and without what may be a secret. */
export function cleaned(address: string): string {
  const url = new URL(address, location.href)
  url.hash = url.username = url.password = ''
  for (const name of [...url.searchParams.keys()]) if (SECRET.test(name)) url.searchParams.delete(name)
  return url.href.slice(0, 2048)
}

/** Return the page of another site that led here, "" where there is none or it is not told. */
export function cameFrom(): string {
  const url = document.referrer
  return !url || new URL(url).origin === location.origin ? '' : cleaned(url)
}

export function campaign(): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (name.startsWith('utm_')) found[name.slice(4)] = value.slice(0, 256)
  }
  return found
}

export class Visits {
  seen: Seen = { views: [] }
  readonly #name: string
  #patched: (() => void)[] = []

  constructor(
    key: string,
    readonly tell: (view: View) => void,
  ) {
    this.#name = `occ_${key}_seen`
  }

  /** Watch the page's address, also where it changes without a load; not where the visitor asked not to be tracked. */
  watch(): void {
    const { globalPrivacyControl, doNotTrack } = navigator as Navigator & { globalPrivacyControl?: boolean }
    if (globalPrivacyControl || doNotTrack === '1') return
    this.seen = attempt(() => this.#kept()) ?? { views: [], referrer: cameFrom(), utm: campaign() }
    let last = this.seen.views.at(-1)?.url
    const look = (): void => {
      const url = cleaned(location.href)
      if (url !== last) this.page(url)
      last = url
    }
    const later = (): unknown => setTimeout(look)
    for (const name of ['pushState', 'replaceState'] as const) {
      const original = history[name]
      const patched = function (this: History, ...args: Parameters<History['pushState']>): void {
        original.apply(this, args)
        later()
      }
      history[name] = patched
      // Somebody else may have patched it after us: then it stays, and does nothing more than it did.
      this.#patched.push(() => void (history[name] === patched && (history[name] = original)))
    }
    for (const name of ['popstate', 'hashchange']) {
      addEventListener(name, later)
      this.#patched.push(() => removeEventListener(name, later))
    }
    look()
  }

  page(address: string): void {
    this.note({ url: cleaned(address), title: document.title.slice(0, 256), at: iso() })
  }

  note(view: View): void {
    const { views } = this.seen
    views.push(view)
    views.splice(0, views.length - MOST)
    this.#keep()
    this.tell(view)
  }

  /** What there was is told, or nobody's business any more. */
  forget(): void {
    this.seen = { views: [] }
    this.#keep()
  }

  #kept(): Seen | null {
    const kept = JSON.parse(sessionStorage.getItem(this.#name) ?? '') as Seen
    return Array.isArray(kept.views) ? kept : null
  }

  #keep(): void {
    attempt(() => sessionStorage.setItem(this.#name, JSON.stringify(this.seen)))
  }

  stop(): void {
    for (const undo of this.#patched.splice(0)) undo()
  }
}
