/** Everything that a host app calls. */
import { now } from './clock.ts'
import { Api, ApiError, type ApiOptions } from './api.ts'
import { Devices } from './devices.ts'
import { Kept } from './kept.ts'
import { Line, type SocketClass } from './line.ts'
import { Outbox, type Waiting } from './outbox.ts'
import { Renewing } from './renewing.ts'
import { State } from './state.ts'
import { MemoryFiles, MemoryStore, type Files, type Store } from './store.ts'
import { Telling, type Events } from './telling.ts'
import type {
  Change, Config, Contact, ContactPatch, Draft, Features, Message, PushDevice, Session, Thread, TokenAnswer,
} from './types.ts'

export interface ClientOptions extends ApiOptions {
  store?: Store
  files?: Files
  /**
   * Asks the host's own server for a JWT of the user who is signed in; null for nobody. Called whenever a proof is
   * needed: at the first start, when the token ends soon, and when it is dead.
   */
  identity?: () => Promise<string | null>
  /** Another WebSocket than the platform's. */
  WebSocket?: SocketClass
}

const TYPING_MS = 3000

export class TrunklineClient {
  readonly api: Api
  readonly outbox: Outbox
  state = new State()
  features: Features = {}
  /** Who one is, by the server's id; null before the first start. */
  contact: string | null = null
  readonly #kept: Kept
  readonly #devices: Devices
  readonly #telling = new Telling()
  readonly #line: Line
  readonly #options: ClientOptions
  #verified = false
  #restored: Promise<void> | null = null
  #renewing = new Renewing(async () => void ((await this.#adopt()) || (await this.#enter())))
  #typed = 0
  #unread = -1

  /** Does nothing on the network: that begins with `start`. */
  constructor(options: ClientOptions) {
    this.#options = options
    this.#kept = new Kept(options.store ?? new MemoryStore())
    this.api = new Api(options)
    // What could not be kept is offered again.
    this.api.keep = (next, was) => this.#kept.follow(next, was).catch(() => false)
    this.#devices = new Devices(this.api, this.#kept)
    this.outbox = new Outbox(this.api, options.files ?? new MemoryFiles(), {
      keep: (outbox) => this.#kept.set({ outbox }),
      sent: (_item, message) => this.#took([message]),
      changed: () => this.#telling.tell('outbox', this.outbox.items),
      renew: () => this.#renewing.renew(),
      broken: (error) => this.#telling.tell('broken', error),
    })
    this.#line = new Line(this.api, {
      changes: (changes, cursor) => this.#changed(changes, cursor),
      reset: () => this.#reset(),
      caughtUp: () => this.outbox.flush(),
      typing: (thread, author) => this.#telling.tell('typing', { thread, author }),
      queue: (place) => this.#telling.tell('queue', place),
      features: (features) => void this.#offered(features),
      expiring: () => void this.#refresh(),
      renew: () => this.#renewing.renew(),
      connected: (how) => this.#telling.tell('connection', how),
      ended: (code) => this.#telling.tell('ended', code),
      broken: (error) => this.#telling.tell('broken', error),
    }, options.WebSocket ?? (globalThis.WebSocket as unknown as SocketClass | undefined))
  }

  // ------------------------------------------------------------ starting and stopping

  /** Take up what is kept, get a token if there is none, and begin to listen. Raises ApiError where that is refused. */
  async start(): Promise<void> {
    await this.#restore()
    if (this.api.token === null) await this.#enter()
    this.#line.start((await this.#kept.get('cursor')) ?? (await this.#reset()))
    // Where no socket says it: what this version may use.
    if (Object.keys(this.features).length === 0) await this.config().catch(() => undefined)
    await this.#again()
  }

  /** Listen no more and send nothing; what waits is kept. For the background, and before the app ends. */
  stop(): void {
    this.#line.stop()
    this.outbox.pause()
  }

  /** The network is back or the app is in front again. */
  kick(): void {
    this.#line.kick()
  }

  set visible(visible: boolean) {
    this.#line.visible = visible
    if (visible) this.kick()
  }

  /** A push came and the app is not running: fetch what is there and send what waits, once. */
  async wake(): Promise<void> {
    await this.#restore()
    if (this.api.token === null) return
    try {
      await this.#catchUp()
    } catch (error) {
      if (!(error instanceof ApiError) || !error.needsToken || (await this.#renewing.renew()) !== 'fresh') throw error
      await this.#catchUp()
    }
    this.outbox.flush()
    await this.outbox.idle()
  }

  async #catchUp(): Promise<void> {
    this.#line.cursor = (await this.#kept.get('cursor')) ?? (await this.#reset())
    await this.#line.catchUp()
  }

  // ------------------------------------------------------------ who one is

  /**
   * Sign in with a JWT, or renew. `switch` changes the user on this phone: everything that is kept is forgotten, and
   * the phone's pushes are the new user's.
   */
  async identify(jwt: string, options: { switch?: boolean } = {}): Promise<void> {
    await this.#restore()
    if (this.api.token === null) return this.#enter(jwt)
    const body = { identity: jwt, ...options }
    const exchange = this.api.call<TokenAnswer>('POST', '/tokens/exchange', body).then((answer) => this.#became(answer))
    // The old token dies before the answer is here.
    await this.#renewing.instead(exchange)
  }

  /** Sign out. Somebody anonymous loses the history for good, so it must be forced. */
  async logout(options: { force?: boolean } = {}): Promise<void> {
    await this.#restore()
    const listening = this.#line.running
    this.stop()
    const query = options.force ? '?force=true' : ''
    try {
      if (this.api.token !== null) await this.api.call('DELETE', `/tokens/current${query}`)
    } catch (error) {
      // A token that is dead already is signed out; anything else leaves all as it was.
      if (!(error instanceof ApiError) || !error.needsToken) {
        if (listening) await this.start()
        throw error
      }
    }
    await this.#forget({ words: true, device: true })
  }

  // ------------------------------------------------------------ saying

  /** Say something. It is kept before this resolves and sent as soon as it can be; `outbox` tells what became of it. */
  async send(draft: Draft | string): Promise<Waiting> {
    await this.#restore()
    return this.outbox.add(typeof draft === 'string' ? { kind: 'text', text: draft } : draft)
  }

  /** Send a file with words below it. */
  async sendFile(file: Blob, about: { name: string; text?: string }): Promise<Waiting> {
    await this.#restore()
    const { name, ...words } = about
    return this.outbox.add({ ...words, kind: 'file', file: { name, mime: file.type } }, file)
  }

  /** Press a button of a card, or a quick reply. */
  async press(message: Message, actionId: string, value?: string): Promise<Waiting> {
    await this.#restore()
    return this.outbox.add({ press: { message_id: message.id, action_id: actionId, ...(value ? { value } : {}) } })
  }

  /** Show agents that the user types; call it at every key. */
  typing(): void {
    if (!this.can('typing') || this.state.live === undefined || now() - this.#typed < TYPING_MS) return
    this.#typed = now()
    if (this.#line.send({ t: 'typing', thread_id: 'live' })) return
    this.api.call('POST', '/threads/live/typing', {}).catch(() => undefined)
  }

  /** Mark a thread as read up to a message; only while it is really on the screen. A lower place changes nothing. */
  async markRead(thread = this.state.live, pos = thread?.last_pos ?? 0): Promise<void> {
    if (thread === undefined || pos <= thread.read_pos) return
    const path = `/threads/${encodeURIComponent(thread.id)}/read`
    const answer = await this.api.call<{ read_pos: number; unread: number }>('POST', path, { pos })
    Object.assign(thread, answer)
    await this.#keep()
    this.#tellUnread()
  }

  // ------------------------------------------------------------ reading

  /** Older messages of a thread, for scrolling back; they are not kept. */
  async history(threadId: string, before: number, limit = 30): Promise<{ messages: Message[]; has_more: boolean }> {
    const query = `before=${String(before)}&limit=${String(limit)}`
    return this.api.call('GET', `/threads/${encodeURIComponent(threadId)}/messages?${query}`)
  }

  /** What the server says of the inbox: look, limits, languages. */
  async config(): Promise<Config> {
    const config = await this.api.call<Config>('GET', `/config?locale=${encodeURIComponent(this.api.locale)}`)
    await this.#offered(config.features)
    return config
  }

  /** Whether this version of the client may use something. Ask this, never the server's version. */
  can(feature: string): boolean {
    return this.features[feature] === true
  }

  /** The unread count without opening the chat; ask at most once a minute. */
  async unread(): Promise<number> {
    await this.#restore()
    if (this.api.token === null) return 0
    return (await this.api.call<{ unread: number }>('GET', '/unread')).unread
  }

  // ------------------------------------------------------------ oneself

  me(): Promise<Contact> {
    return this.api.call('GET', '/me')
  }

  /** Say something of oneself; what the host's server signed stays (409 `verified_field`). */
  setContact(patch: ContactPatch): Promise<Contact> {
    return this.api.call('PATCH', '/me', patch)
  }

  /** Hand the push token over: at every start of the app, because it changes. */
  async registerDevice(device: PushDevice): Promise<boolean> {
    await this.#devices.keep(device)
    return this.#again()
  }

  removeDevice(): Promise<void> {
    return this.#devices.drop()
  }

  // ------------------------------------------------------------ listening

  /** Listen; call what comes back to listen no more. */
  on<Name extends keyof Events>(name: Name, ear: (what: Events[Name]) => void): () => void {
    return this.#telling.on(name, ear)
  }

  // ------------------------------------------------------------ tokens

  /** Read what is kept, once. */
  #restore(): Promise<void> {
    return (this.#restored ??= this.#load())
  }

  async #load(): Promise<void> {
    const kept = this.#kept
    const who = await kept.get('who')
    this.contact = who?.id ?? null
    this.#verified = who?.verified ?? false
    this.state = await kept.state()
    this.outbox.items = (await kept.get('outbox')) ?? []
    // What an older version of the app might use says nothing of this one.
    const offered = await kept.get('features')
    if (offered?.version === this.#options.version) this.features = offered.features
    this.api.token = await kept.get('token')
    this.#tellUnread()
  }

  /** Get a token: of whoever is signed in, or of nobody in particular. */
  async #enter(jwt?: string): Promise<void> {
    const identity = jwt ?? (await this.#options.identity?.()) ?? undefined
    const device = await this.#devices.id()
    const body = { ...(identity ? { identity } : {}), ...(device ? { device_id: device } : {}) }
    await this.#became(await this.api.call<TokenAnswer>('POST', '/tokens', body))
  }

  /** Take a token over. If it is somebody else's, nothing of the one before stays. */
  async #became(answer: TokenAnswer): Promise<void> {
    const listening = this.#line.running
    this.#line.stop()
    const verified = answer.identity === 'verified'
    const other = this.contact !== null && this.contact !== answer.contact.id && !answer.merged
    // Somebody anonymous whose token died is the same person: what waits is still theirs to say.
    if (other) await this.#forget({ words: this.#verified || verified })
    this.contact = answer.contact.id
    this.api.token = answer.token
    this.#verified = verified
    await this.#kept.set({ token: answer.token, who: { id: this.contact, verified } })
    await this.#offered(answer.features)
    // The feed is another one, or its beginning is not known yet: what there is, is read.
    const kept = other || answer.merged ? null : await this.#kept.get('cursor')
    const cursor = kept ?? (await this.#reset())
    if (!listening) return
    this.#line.start(cursor)
    await this.#again()
  }

  /** Go on with the token that another tab has kept meanwhile, as whoever that is; false where there is none. */
  async #adopt(): Promise<boolean> {
    const token = await this.#kept.get('token')
    if (token === null || token === this.api.token) return false
    if ((await this.#kept.get('who'))?.id === this.contact) this.api.token = token
    else {
      const listening = this.#line.running
      this.#line.stop()
      await this.#load()
      this.#telling.tell('reset', this.state)
      if (listening) this.#line.start((await this.#kept.get('cursor')) ?? (await this.#reset()))
    }
    return true
  }

  /** The proof ends soon: renew it while it is good. Whoever is anonymous has time. */
  async #refresh(): Promise<void> {
    const jwt = await this.#options.identity?.()
    if (jwt) await this.identify(jwt).catch(() => undefined)
  }

  /** Forget whom this phone was; with `words` also what they wanted to say. */
  async #forget(what: { words: boolean; device?: boolean }): Promise<void> {
    this.api.token = this.contact = null
    this.state = new State()
    if (what.words) await this.outbox.clear()
    await this.#kept.set({ token: null, who: null, cursor: null, state: null, ...(what.device ? { device: null } : {}) })
    this.#telling.tell('reset', this.state)
    this.#tellUnread()
  }

  // ------------------------------------------------------------ what comes in

  async #changed(changes: Change[], cursor: string): Promise<void> {
    const fresh = changes.filter((one) => this.state.apply(one))
    await this.#keep(cursor)
    for (const one of fresh) await this.#show(one)
    this.#tellUnread()
  }

  async #show(change: Change): Promise<void> {
    const known = change.type === 'delivery.changed' && this.state.messages.get(String(change.data['id']))
    if (known) this.#telling.tell('updated', known)
    else if (change.type.startsWith('message.')) {
      const message = change.data as unknown as Message
      // It came back before its answer did: it is sent.
      if (message.client_id !== null) await this.outbox.drop(message.client_id)
      this.#telling.tell(change.type === 'message.created' ? 'message' : 'updated', message)
    }
    if (change.type === 'session.changed') this.#telling.tell('session', change.data as unknown as Session)
    const thread = this.state.threads.get(String(change.data['thread_id'] ?? change.data['id']))
    if (thread !== undefined) this.#telling.tell('thread', thread)
  }

  async #took(messages: Message[]): Promise<void> {
    const fresh = messages.filter((one) => this.state.put(one))
    await this.#keep()
    for (const one of fresh) this.#telling.tell('message', one)
  }

  /** Read everything anew: the threads, and the newest page of each that is open. The outbox stays. */
  async #reset(): Promise<string> {
    const { threads, cursor } = await this.api.call<{ threads: Thread[]; cursor: string }>('GET', '/threads')
    const messages: Message[] = []
    for (const thread of threads.filter((one) => one.live || one.state === 'open')) {
      const path = `/threads/${encodeURIComponent(thread.id)}/messages?limit=30`
      messages.push(...(await this.api.call<{ messages: Message[] }>('GET', path)).messages)
    }
    this.state.replace(threads, messages)
    await this.#keep(cursor)
    for (const one of messages) if (one.client_id !== null) await this.outbox.drop(one.client_id)
    this.#telling.tell('reset', this.state)
    this.#tellUnread()
    return cursor
  }

  /** Keep what is shown, with the cursor that says so. */
  #keep(cursor?: string): Promise<void> {
    const { state } = this
    return this.#kept.set(cursor === undefined ? { state } : { state, cursor })
  }

  #tellUnread(): void {
    if (this.state.unread === this.#unread) return
    this.#unread = this.state.unread
    this.#telling.tell('unread', this.#unread)
  }

  async #offered(features: Features): Promise<void> {
    this.features = features
    await this.#kept.set({ features: { version: this.#options.version, features } })
    this.#telling.tell('features', features)
  }

  /** Tell the server of this phone; false where no push would come. */
  async #again(): Promise<boolean> {
    return this.features['push'] !== false && (await this.#devices.tell())
  }
}
