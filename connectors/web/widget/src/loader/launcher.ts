/** The button, its badge and the frame's place, in a shadow root that the page cannot look into. */
import { inkOn } from '../colour'
import { STYLE } from './style'
import { wordsFor } from './words'

const SVG = 'http://www.w3.org/2000/svg'
const PATHS = ['M4 5h16v11H9l-5 4z', 'M6 6l12 12M18 6 6 18']
export const SHEET = '(max-width: 480px), (max-height: 480px)'

export class Launcher {
  readonly #host = document.createElement('div')
  readonly #box = document.createElement('div')
  readonly #button = document.createElement('button')
  readonly #path = document.createElementNS(SVG, 'path')
  readonly #badge = document.createElement('span')
  #frame: HTMLIFrameElement | null = null
  #words = wordsFor('en')
  #unread = 0
  #overflow: string | null = null

  constructor(press: () => void) {
    const root = this.#host.attachShadow({ mode: 'closed' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(STYLE)
    root.adoptedStyleSheets = [sheet]
    const picture = document.createElementNS(SVG, 'svg')
    picture.setAttribute('viewBox', '0 0 24 24')
    picture.setAttribute('aria-hidden', 'true')
    picture.append(this.#path)
    this.#button.type = 'button'
    this.#button.append(picture, this.#badge)
    this.#button.onclick = press
    this.#badge.setAttribute('aria-hidden', 'true')
    this.#box.append(this.#button)
    root.append(this.#box)
  }

  mount(): void {
    document.body.append(this.#host)
  }

  remove(): void {
    this.show(false, false)
    this.#host.remove()
    this.#frame = null
  }

  /** Put the frame in, before it is shown. */
  hold(address: string): HTMLIFrameElement {
    const frame = document.createElement('iframe')
    frame.src = address
    frame.title = this.#words[3]
    frame.allow = 'clipboard-write'
    // Before the button, so that what was opened is read and reached first.
    this.#box.prepend(frame)
    return (this.#frame = frame)
  }

  look(accent: string, side: string, layer: string): void {
    this.#box.className = `${side} ${this.#box.className.replace(/start|end/, '')}`
    for (const [name, value] of [['--a', accent], ['--i', inkOn(accent)], ['--z', layer]] as const) {
      this.#box.style.setProperty(name, value)
    }
  }

  speak(locale: string): void {
    this.#words = wordsFor(locale)
    this.#button.lang = locale
    if (this.#frame) this.#frame.title = this.#words[3]
    this.#label()
  }

  badge(unread: number): void {
    this.#unread = unread
    this.#label()
  }

  show(open: boolean, sheet: boolean): void {
    this.#box.classList.toggle('open', open)
    this.#box.classList.toggle('sheet', sheet)
    this.#label()
    const page = document.documentElement.style
    if (open && sheet && this.#overflow === null) {
      this.#overflow = page.overflow
      page.overflow = 'hidden'
    } else if (!(open && sheet) && this.#overflow !== null) {
      page.overflow = this.#overflow
      this.#overflow = null
    }
  }

  /** Keep a sheet above the keyboard of a phone, which the frame cannot see. */
  fit(): void {
    const seen = visualViewport
    if (!this.#frame || !seen) return
    const isSheet = this.#box.matches('.sheet.open') && seen.scale === 1
    this.#frame.style.height = isSheet ? `${String(seen.height)}px` : ''
    this.#frame.style.top = isSheet ? `${String(seen.offsetTop)}px` : ''
  }

  focus(): void {
    this.#button.focus()
  }

  #label(): void {
    const open = this.#box.matches('.open')
    const [show, hide, unread] = this.#words
    const count = open ? 0 : this.#unread
    this.#badge.textContent = count > 99 ? '99+' : count ? String(count) : ''
    this.#button.setAttribute('aria-expanded', String(open))
    this.#button.setAttribute('aria-label', (open ? hide : show) + (count ? `, ${unread}${String(count)}` : ''))
    this.#path.setAttribute('d', PATHS[open ? 1 : 0] as string)
  }
}
