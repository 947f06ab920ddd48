/**
 * What the app shows: threads and messages. Applying a change twice is harmless, and so is an old one after a new one:
 * objects are replaced by id, and a lower `rev` is ignored.
 */
import type { Author, Change, Message, Thread } from './types.ts'

const MOST_KEPT = 200
const FURTHER = ['sent', 'delivered', 'read']

export class State {
  threads = new Map<string, Thread>()
  messages = new Map<string, Message>()
  /** What other objects were at last: `rev` by id, for changes that have no object of their own here. */
  #revs = new Map<string, number>()

  /** The thread that takes new messages, once there is one. */
  get live(): Thread | undefined {
    return [...this.threads.values()].find((one) => one.live)
  }

  get unread(): number {
    return [...this.threads.values()].reduce((sum, one) => sum + one.unread, 0)
  }

  /** Messages of a thread, in order. */
  of(threadId: string): Message[] {
    const found = [...this.messages.values()].filter((one) => one.thread_id === threadId)
    return found.sort((one, other) => one.pos - other.pos)
  }

  /** Take a message over; false if it is old news. */
  put(message: Message): boolean {
    const known = this.messages.get(message.id)
    if (known !== undefined && known.rev >= message.rev) return false
    this.messages.set(message.id, message)
    const thread = this.#thread(message.thread_id)
    if (message.pos > thread.last_pos) {
      thread.last_pos = message.pos
      thread.last_message_at = message.created_at
    }
    const counts = message.author.kind !== 'contact' && message.pos > thread.read_pos
    if (counts && known === undefined && message.kind !== 'redacted') thread.unread += 1
    if (counts && known !== undefined && known.kind !== 'redacted' && message.kind === 'redacted') thread.unread -= 1
    return true
  }

  /** Apply a change and say whether there was anything new in it. */
  apply(change: Change): boolean {
    const { data } = change
    if (change.type.startsWith('message.')) return this.put(data as unknown as Message)
    if (change.type === 'delivery.changed') return this.#cameTo(String(data['id']), String(data['state']))
    const id = `${change.type}:${String(data['id'])}`
    const rev = Number(data['rev'] ?? change.seq)
    if ((this.#revs.get(id) ?? -1) >= rev) return false
    this.#revs.set(id, rev)
    if (change.type === 'thread.changed') this.#threadChanged(data)
    else if (change.type === 'read.changed') this.#readChanged(data)
    return true
  }

  /** A message of ours came further: on this device or on another one. It never goes back. */
  #cameTo(id: string, state: string): boolean {
    const message = this.messages.get(id)
    if (message === undefined || FURTHER.indexOf(state) <= FURTHER.indexOf(message.state ?? 'sent')) return false
    message.state = state
    return true
  }

  #threadChanged(data: Record<string, unknown>): void {
    const thread = this.#thread(String(data['id']))
    if (data['state'] !== undefined) thread.state = data['state'] as Thread['state']
    if (data['agent'] !== undefined) thread.agent = data['agent'] as Author | null
  }

  #readChanged(data: Record<string, unknown>): void {
    const thread = this.#thread(String(data['thread_id']))
    if (data['side'] !== 'contact') return
    thread.read_pos = Math.max(thread.read_pos, Number(data['pos']))
    thread.unread = Number(data['unread'] ?? thread.unread)
  }

  /** Replace everything by what the server has. */
  replace(threads: Thread[], messages: Message[]): void {
    this.threads = new Map(threads.map((one) => [one.id, { ...one }]))
    this.messages = new Map(messages.map((one) => [one.id, one]))
    this.#revs.clear()
  }

  /** A thread that we hear of for the first time is the live one: older ones are there from the beginning. */
  #thread(id: string): Thread {
    let thread = this.threads.get(id)
    if (thread === undefined) {
      thread = {
        id, live: this.live === undefined, state: 'open', last_pos: 0, read_pos: 0, unread: 0, agent_unread: 0,
        agent: null, last_message_at: '',
      }
      this.threads.set(id, thread)
    }
    return thread
  }

  /** What is kept: the newest messages of each thread. Older ones are fetched when somebody scrolls back. */
  toJSON(): { threads: Thread[]; messages: Message[] } {
    const threads = [...this.threads.values()]
    return { threads, messages: threads.flatMap((one) => this.of(one.id).slice(-MOST_KEPT)) }
  }

  static from(text: string | null): State {
    const state = new State()
    if (text === null) return state
    const { threads, messages } = JSON.parse(text) as { threads: Thread[]; messages: Message[] }
    state.replace(threads, messages)
    return state
  }
}
