/** The conversation as the screen sees it: starts, listens, speaks; every change ends with `changed`. */
import { now } from '../clock'
import type { Hello, Look, ToFrame, ToLoader } from '../port'
import { Api, ApiError } from './api'
import { Kept } from './kept'
import { Live } from './live'
import { apply, isMine, line, newest, nothing, put, unread, type Line } from './model'
import { Outbox } from './outbox'
import { Pages } from './pages'
import { Parts } from './parts'
import type { Action, Config, Message, Session, Thread, Token } from './wire'
import { fill, load, type Words } from './words'

/** Why there is no chat at all: a key of the words. */
export type Trouble = 'closed' | 'signIn' | 'old'

const TROUBLES: Record<string, Trouble> = { identity_required: 'signIn', client_too_old: 'old' }
/** The newest threads; older ones nobody goes on in. */
const MOST_THREADS = 10
const TYPING_EVERY_MS = 3000
const TYPING_LASTS_MS = 6000

export class Chat {
  readonly api: Api
  readonly live: Live
  readonly outbox: Outbox
  readonly draft: Kept
  readonly parts: Parts
  config: Config | null = null
  words: Words | null = null
  talk = nothing()
  trouble: Trouble | null = null
  /** What a screen reader says next. */
  said = ''
  /** Name of who is writing now, "" for nobody. */
  typist = ''
  isOpen = false
  isSheet = false
  isOnline = true
  /** Counts the openings that shall take the focus. */
  focus = 0
  look: Look
  dir: string
  #owner = ''
  #booting: Promise<void> | null = null
  #identity: unknown = null
  readonly #pages: Pages
  #typed = 0
  #quiet: ReturnType<typeof setTimeout> | undefined
  #told = -1

  constructor(
    key: string,
    hello: Hello,
    readonly tell: (word: ToLoader) => void,
    readonly changed: () => void,
  ) {
    this.api = new Api(key, tell)
    this.api.token = hello.token
    this.api.locale = hello.locale
    this.api.form = hello.form
    this.look = hello.look
    this.dir = hello.dir
    this.#pages = new Pages(this.api, tell, hello.seen)
    this.isOpen = hello.open
    const aside = { known: hello.kept, keep: (name: string, text: string) => tell({ t: 'keep', name, text }) }
    this.draft = new Kept(key, 'draft', aside)
    this.parts = new Parts(this, key, aside)
    this.outbox = new Outbox(this.api, {
      changed,
      sent: (message) => this.#arrived(message),
      renewed: () => this.renew(),
    }, new Kept(key, 'outbox', aside))
    this.live = new Live(this.api, {
      change: (change) => {
        const message = apply(this.talk, change)
        if (message) this.#arrived(message)
        else if (change.type === 'session.changed') this.parts.news(change.data as Partial<Session>)
        else if (change.type === 'contact.merged') this.live.kick()
        this.#noticed()
      },
      session: (told) => this.parts.news(told),
      typing: (author) => this.#typing(author.name ?? this.words?.them ?? ''),
      reset: () => this.#load(),
      expiring: () => tell({ t: 'event', name: 'auth-expired', detail: 'expiring' }),
      dead: () => void this.#revive(),
      closed: (code) => this.#fail(code === 4426 ? 'old' : 'closed'),
      connected: (yes) => {
        this.isOnline = yes
        if (yes) this.outbox.flush()
        changed()
      },
    }, () => this.isSeen)
  }

  /** The language of the words, and so of times and figures. */
  get locale(): string {
    return this.config?.locale ?? this.api.locale
  }

  get isSeen(): boolean {
    return this.isOpen && !document.hidden && !this.parts.isForm
  }

  /** Settings and words first, so that there is something to see; then who it is, then what was said. */
  boot(): Promise<void> {
    return (this.#booting ??= this.#boot().catch((error: unknown) => {
      this.#booting = null
      const { code, passes } = error as ApiError
      if (!passes) return this.#fail(TROUBLES[code] ?? 'closed')
      this.isOnline = false
      this.changed()
      setTimeout(() => void this.boot(), (1 + Math.random() * 4) * 1000)
    }))
  }

  async #boot(): Promise<void> {
    await this.#configure()
    if (!this.api.token) await this.#another()
    await this.#listen().catch(async (error: unknown) => {
      if ((error as ApiError).status !== 401 || !(await this.renew())) throw error
      await this.#listen()
    })
    this.tell({ t: 'event', name: 'session', detail: { open: true } })
  }

  async #configure(): Promise<void> {
    this.words ??= await load(this.api.locale)
    this.changed()
    const config = await this.api.call<Config>('GET', `config?locale=${encodeURIComponent(this.api.locale)}`)
    this.words = await load(config.locale, config.texts)
    this.config = config
    this.#pages.lag = Date.parse(config.server_time) - now()
    await this.parts.later?.speak(this)
    this.tell({ t: 'look', accent: config.theme.accent ?? '', mode: config.theme.mode ?? '' })
    this.changed()
  }

  /** Get a token for somebody new, or for who the site says it is. */
  async #enter(): Promise<void> {
    this.api.token = null
    const body = this.#identity ? { identity: this.#identity } : {}
    this.#take(await this.api.call<Token>('POST', 'tokens', body))
  }

  #take(answer: Token): void {
    this.api.token = answer.token
    this.tell({ t: 'token', token: answer.token })
  }

  /** Load what was said and follow it from there. */
  async #listen(): Promise<void> {
    this.live.start(await this.#load())
  }

  async #load(): Promise<string> {
    const { threads, cursor } = await this.api.call<{ threads: Thread[]; cursor: string }>('GET', 'threads')
    const talk = nothing()
    // Threads from before somebody said who they are are part of what was said, and agents may go on in them.
    await Promise.all(threads.slice(0, MOST_THREADS).map(async ({ id, read_pos, agent_unread }) => {
      const page = await this.#page(id, '')
      const of = line(talk, id)
      of.more = page.has_more
      of.read = read_pos ?? 0
      put(talk, ...page.messages)
      of.seen = of.said.filter(isMine).at(-1 - (agent_unread ?? 0))?.pos ?? 0
    }))
    this.talk = talk
    await this.#own()
    this.parts.restore()
    for (const { said } of talk.lines) for (const one of said) this.outbox.drop(one.client_id ?? '')
    this.#visited()
    this.#noticed()
    return cursor
  }

  /** Find out whose token it is, so that nobody sends what somebody else wrote here. */
  async #own(): Promise<void> {
    if (this.#owner) return
    this.#owner = (await this.api.call<{ id: string }>('GET', 'me')).id
    this.outbox.restore(this.#owner)
  }

  #page(thread: string, query: string): Promise<{ messages: Message[]; has_more: boolean }> {
    return this.api.call('GET', `threads/${thread}/messages?limit=30${query}`)
  }

  /** The thread in which something is missing before the first message that is shown. */
  get gap(): Line | undefined {
    return this.talk.lines.find(({ more, said }) => more && said[0] === this.talk.messages[0])
  }

  #fetching = false

  async earlier(): Promise<void> {
    const of = this.gap
    if (!of || this.#fetching) return
    this.#fetching = true
    const page = await this.#page(of.id, `&before=${String(of.said[0]?.pos)}`).catch(() => null)
    this.#fetching = false
    of.more = !page || page.has_more
    put(this.talk, ...(page?.messages ?? []))
    this.changed()
  }

  #arrived(message: Message): void {
    put(this.talk, message)
    this.outbox.drop(message.client_id ?? '')
    if (isMine(message)) this.#visited()
    else {
      this.#typing('')
      this.said = `${message.author.name ?? this.words?.them ?? ''}: ${message.text ?? message.fallback ?? ''}`
      this.tell({ t: 'event', name: 'message', detail: { id: message.id, kind: message.kind, text: message.text ?? null } })
    }
    this.#noticed()
  }

  /** Tell the badge, and the other side what was read: only what stands on a screen that somebody looks at. */
  #noticed(): void {
    for (const of of this.isSeen ? this.talk.lines : []) {
      if (!unread(of)) continue
      of.read = newest(of)
      void this.api.call('POST', `threads/${of.id}/read`, { pos: of.read }).catch(() => undefined)
    }
    const count = this.talk.lines.reduce((sum, one) => sum + unread(one), 0)
    if (count !== this.#told) this.tell({ t: 'unread', count })
    this.#told = count
    this.changed()
  }

  #typing(name: string): void {
    clearTimeout(this.#quiet)
    this.typist = name
    if (name) this.#quiet = setTimeout(() => this.#typing(''), TYPING_LASTS_MS)
    this.changed()
  }

  /** The visitor writes: say so, at most every three seconds, and never what. */
  writes(): void {
    if (now() - this.#typed < TYPING_EVERY_MS || !this.api.token) return
    this.#typed = now()
    if (!this.live.send({ t: 'typing', thread_id: 'live' }))
      void this.api.call('POST', 'threads/live/typing', {}).catch(() => undefined)
  }

  say(text: string, files: File[]): void {
    for (const file of files)
      this.outbox.add({ kind: 'file' }, this.#owner, file, file.type.startsWith('image/') ? URL.createObjectURL(file) : '')
    if (text) this.outbox.add({ kind: 'text', text }, this.#owner)
  }

  /** Press a button of a card, or a suggested answer. */
  press(message: Message, action: Action): void {
    this.outbox.add({ kind: 'text', text: action.label, message_id: message.id, action_id: action.id }, this.#owner)
    this.tell({ t: 'event', name: 'postback', detail: { id: action.id } })
  }

  /** The page is seen or the network is back: look whether anything was missed. */
  wake(): void {
    if (this.api.token) this.live.kick()
    this.live.send({ t: 'visible', visible: !document.hidden, panel_open: this.isOpen })
    this.outbox.flush()
    this.#noticed()
  }

  /** Take a word of the loader. */
  async hear(word: ToFrame): Promise<void> {
    switch (word.t) {
      case 'show':
        this.isOpen = word.open
        this.isSheet = word.sheet
        if (word.open && word.focus) this.focus++
        this.live.send({ t: 'visible', visible: !document.hidden, panel_open: word.open })
        return this.#noticed()
      case 'view':
        this.#pages.seen.views.push(word.view)
        return this.#visited()
      case 'look':
        this.look = word.look
        return this.changed()
      case 'locale':
        this.api.locale = word.locale
        this.dir = word.dir
        this.words = null
        return this.#configure()
      case 'stop':
        return this.live.stop()
      case 'call': {
        const { id, name, value } = word
        try {
          this.tell({ t: 'result', id, value: await this.#call(name, value) })
        } catch (error) {
          this.tell({ t: 'result', id, error: (error as ApiError).code || (error as Error).message })
        }
      }
    }
  }

  async #call(name: string, value: unknown): Promise<unknown> {
    if (name === 'identify') return this.#identify(value)
    await this.boot()
    switch (name) {
      case 'logout': return this.#logout()
      case 'setContact': return void (await this.api.call('PATCH', 'me', value))
      case 'setAttributes': return void (await this.api.call('PATCH', 'me', { attributes: value }))
      case 'setGroup': return void (this.parts.group = value ? String(value) : undefined)
      default: return (await this.parts.need()) ? this.parts.later?.person.ask(this, value) : undefined
    }
  }

  /** Become who the site says: what an anonymous visitor wrote moves along, another person's history does not. */
  async #identify(identity: unknown): Promise<void> {
    this.#identity = identity
    if (this.trouble === 'signIn') this.trouble = null
    const anew = !this.api.token && !this.#booting
    await this.boot()
    if (this.trouble) throw new Error(this.trouble)
    if (anew || !this.api.token) return
    // The old token dies with this: nobody shall take its end for a fault.
    this.live.stop()
    try {
      this.#take(await this.api.call<Token>('POST', 'tokens/exchange', { identity, switch: true }))
    } catch (error) {
      this.live.retry()
      if ((error as ApiError).status === 401) this.tell({ t: 'event', name: 'auth-expired', detail: (error as ApiError).code })
      throw error
    }
    this.#owner = ''
    await this.#listen()
  }

  async #logout(): Promise<void> {
    this.live.stop()
    await this.api.call('DELETE', 'tokens/current?force=true').catch(() => undefined)
    this.outbox.clear()
    this.draft.set('')
    this.parts.clear()
    this.#pages.seen = { views: [] }
    this.tell({ t: 'token', token: null })
    this.api.token = this.#identity = this.#booting = null
    this.#owner = ''
    this.talk = nothing()
    this.#noticed()
    if (this.isOpen) await this.boot()
  }

  #renewing: Promise<boolean> | null = null
  #renewed: (token: string | null) => void = () => undefined

  /** Get another token: the one that another tab has, else a new one. */
  async #another(): Promise<void> {
    const kept = await new Promise<string | null>((done) => {
      this.#renewed = done
      this.tell({ t: 'renew', dead: this.api.token ?? '' })
    })
    this.#owner = ''
    if (kept) this.api.token = kept
    else await this.#enter()
  }

  /** Get another token for a dead one; false where there is none to be had. */
  renew(): Promise<boolean> {
    return (this.#renewing ??= (async () => {
      try {
        await this.#another()
        return true
      } catch (error) {
        if (!(error as ApiError).passes) this.#fail(TROUBLES[(error as ApiError).code] ?? 'closed')
        return false
      } finally {
        this.#renewing = null
      }
    })())
  }

  /** Go on with another token; without one there is nothing to go on with until somebody tries again. */
  async #revive(): Promise<void> {
    if (await this.renew()) await this.#listen().catch(() => this.live.retry())
    else if (!this.trouble) this.live.retry()
  }

  token(token: string | null): void {
    this.#renewed(this.api.kept(token))
  }

  #visited(): void {
    if (this.talk.messages.some(isMine)) this.#pages.report()
  }

  #fail(trouble: Trouble): void {
    this.trouble = trouble
    this.tell({ t: 'event', name: 'error', detail: trouble })
    this.changed()
  }

  word(key: keyof Words, values: Record<string, string | number> = {}): string {
    return fill(this.words?.[key] ?? '', values)
  }
}
