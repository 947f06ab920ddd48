/** The widget on the page: what the host calls, and the line to the frame. */
import { iso } from '../clock'
import { isColour } from '../colour'
import { VERSION, type Hello, type Look, type ToFrame, type ToLoader } from '../port'
import { Keeping, attempt } from './keeping'
import { Launcher, SHEET } from './launcher'
import { first, type Settings } from './settings'
import { Visits } from './visits'

type Listener = (detail: unknown) => void

const LOCALE = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/

/** Calls that the frame answers. */
const ASKED = ['identify', 'logout', 'setContact', 'setAttributes', 'setGroup', 'requestHuman']

export class Widget {
  readonly #settings: Settings
  readonly #keeping: Keeping
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #waiting = new Map<number, [(value: unknown) => void, (error: Error) => void]>()
  #look: Look
  #launcher: Launcher | null = null
  #visits: Visits | null = null
  #port: MessagePort | null = null
  #ready: Promise<void> | null = null
  #undo: (() => void)[] = []
  #open = false
  #unread = 0
  #asked = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.#keeping = new Keeping(settings.key, settings.domain)
    this.#look = { mode: settings.mode }
  }

  /** Answer a call of the page. Unknown names and calls before `start` are refused in words. */
  async call(name: string, value?: unknown, listener?: Listener): Promise<unknown> {
    if (Object.hasOwn(this.#always, name)) return this.#always[name]?.(value, listener)
    if (!this.#launcher) throw new Error(`Trunkline: call "start" before "${name}".`)
    if (Object.hasOwn(this.#calls, name)) return this.#calls[name]?.(value)
    if (ASKED.includes(name)) return this.#ask(name, value)
    throw new Error(`Trunkline: there is no call "${name}".`)
  }

  readonly #always: Record<string, (value: unknown, listener?: Listener) => unknown> = {
    start: () => this.#start(),
    stop: () => this.#stop(),
    on: (name, listener) => listener && void this.#heard(String(name)).add(listener),
    off: (name, listener) => {
      if (listener) this.#heard(String(name)).delete(listener)
      else this.#heard(String(name)).clear()
    },
    unreadCount: () => this.#unread,
  }

  readonly #calls: Record<string, (value: unknown) => unknown> = {
    open: () => this.#show(true, true),
    close: () => this.#show(false, true),
    toggle: () => this.#show(!this.#open, true),
    setLocale: (locale) => this.#speak(String(locale)),
    setTheme: (look) => this.#theme(look as Look),
    trackPage: (url) => this.#visits?.page(String(url ?? location.href)),
    trackEvent: (name) => this.#visits?.note({ screen: String(name).slice(0, 256), at: iso() }),
  }

  async #start(): Promise<void> {
    if (this.#launcher) return
    if (!document.body) await new Promise((done) => this.#on(document, 'DOMContentLoaded', done))
    this.#launcher = new Launcher(() => void this.#show(!this.#open, true))
    this.#visits = new Visits(this.#settings.key, (view) => this.#send({ t: 'view', view }))
    this.#paint()
    this.#launcher.mount()
    this.#visits.watch()
    const narrow = matchMedia(SHEET)
    this.#on(narrow, 'change', () => void (this.#open && this.#show(true, false)))
    for (const name of ['resize', 'scroll']) this.#on(visualViewport ?? window, name, () => this.#launcher?.fit())
    if (this.#keeping.open() && !narrow.matches) await this.#show(true, false)
    // A visitor who has written before has a badge; everybody else costs the page nothing until they open it.
    else if (this.#keeping.read()) void this.#frame()
  }

  #stop(): void {
    this.#send({ t: 'stop' })
    for (const undo of this.#undo.splice(0)) undo()
    this.#visits?.stop()
    this.#launcher?.remove()
    this.#port?.close()
    this.#launcher = this.#visits = this.#port = this.#ready = null
    for (const [, refuse] of this.#waiting.values()) refuse(new Error('Trunkline: stopped.'))
    this.#waiting.clear()
    this.#open = false
  }

  #on(target: EventTarget, name: string, act: (event: Event) => void): void {
    target.addEventListener(name, act)
    this.#undo.push(() => target.removeEventListener(name, act))
  }

  async #show(open: boolean, asked: boolean): Promise<void> {
    const changed = open !== this.#open
    const sheet = matchMedia(SHEET).matches
    this.#open = open
    this.#keeping.open(open)
    if (open) void this.#frame()
    this.#launcher?.show(open, sheet)
    this.#launcher?.fit()
    if (!open && asked) this.#launcher?.focus()
    if (changed) this.#tell(open ? 'open' : 'close', null)
    await this.#ready
    this.#send({ t: 'show', open: this.#open, sheet, focus: asked })
  }

  /** Load the frame once; resolves when it speaks. */
  #frame(): Promise<void> {
    return (this.#ready ??= new Promise((done) => {
      const { base, key } = this.#settings
      const frame = (this.#launcher as Launcher).hold(`${base}frame/${key}#${encodeURIComponent(location.origin)}`)
      frame.onload = () => {
        const { port1, port2 } = new MessageChannel()
        this.#port?.close()
        this.#port = port1
        port1.onmessage = ({ data }: MessageEvent<ToLoader>) => (data.t === 'ready' ? done() : this.#hear(data))
        frame.contentWindow?.postMessage(this.#hello(), new URL(base).origin, [port2])
      }
    }))
  }

  #hello(): Hello {
    return {
      trunkline: VERSION,
      token: this.#keeping.read(),
      locale: this.#locale(),
      dir: this.#direction(),
      form: matchMedia(SHEET).matches ? 'mobile' : 'desktop',
      look: this.#look,
      open: this.#open,
      kept: this.#keeping.kept(),
      seen: this.#visits?.seen ?? { views: [] },
    }
  }

  #send(word: ToFrame): void {
    this.#port?.postMessage(word)
  }

  async #ask(name: string, value: unknown): Promise<unknown> {
    await this.#frame()
    const id = ++this.#asked
    return new Promise((done, refuse) => {
      this.#waiting.set(id, [done, refuse])
      this.#send({ t: 'call', id, name, value })
    })
  }

  #hear(word: ToLoader): void {
    switch (word.t) {
      case 'token': return this.#keep(word.token)
      case 'next': return this.#follow(word.was, word.token)
      case 'keep': return void this.#keeping.kept(word.name, word.text)
      case 'renew': return this.#renew(word.dead)
      case 'close': return void this.#show(false, true)
      case 'visited': return this.#visits?.forget()
      case 'event': return this.#tell(word.name, word.detail)
      case 'unread': return this.#count(word.count)
      case 'result': return this.#answered(word.id, word.value, word.error)
    }
  }

  #count(unread: number): void {
    this.#unread = unread
    this.#launcher?.badge(unread)
    this.#tell('unread', unread)
  }

  #answered(id: number, value: unknown, error = ''): void {
    const [done, refuse] = this.#waiting.get(id) ?? []
    this.#waiting.delete(id)
    if (error) refuse?.(new Error(`Trunkline: ${error}`))
    else done?.(value)
  }

  #keep(token: string | null): void {
    if (!token) this.#visits?.forget()
    this.#keeping.write(token)
  }

  #follow(was: string | null, token: string): void {
    if (this.#keeping.read() === was) this.#keeping.write(token)
    this.#renew('')
  }

  #renew(dead: string): void {
    const kept = this.#keeping.read()
    if (kept === dead) this.#keeping.write(null)
    this.#send({ t: 'token', token: kept === dead ? null : kept })
  }

  #heard(name: string): Set<Listener> {
    const found = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, found)
    return found
  }

  #tell(name: string, detail: unknown): void {
    for (const listener of this.#heard(name)) attempt(() => listener(detail))
  }

  #speak(locale: string): void {
    this.#settings.locale = locale
    this.#paint()
    this.#send({ t: 'locale', locale, dir: this.#direction() })
  }

  #theme(look: Look): void {
    if (isColour(look.accent)) this.#settings.accent = this.#look.accent = look.accent
    if (look.mode) this.#look.mode = look.mode
    this.#paint()
    this.#send({ t: 'look', look: this.#look })
  }

  #paint(): void {
    const { accent, position, layer } = this.#settings
    const isEnd = (position === 'end') === (this.#direction() !== 'rtl')
    this.#launcher?.look(accent, isEnd ? 'end' : 'start', layer)
    this.#launcher?.speak(this.#locale())
  }

  #locale(): string {
    return first(LOCALE, this.#settings.locale, document.documentElement.lang, navigator.language)
  }

  #direction(): string {
    return getComputedStyle(document.documentElement).direction
  }
}
