/**
 * What few visitors need: the form, and talking to a person. It is loaded when it is first needed.
 *
 * News of a session may come before that: it waits in `fresh`.
 */
import type { Chat } from './chat'
import { Kept, type Aside } from './kept'
import type { More } from './more'
import type { Session } from './wire'

type Later = typeof import('./later')
export type Part = 'form' | 'person'

export class Parts {
  later: Later | null = null
  words: More | null = null
  /** Does again what failed, because it could not be loaded. */
  again: (() => void) | null = null
  /** Whether the form covers the conversation. */
  isForm = false
  session: Session | null = null
  /** What was told of a session and not taken in yet; null says that there is none. */
  fresh: (Partial<Session> | null)[] = []
  /** The group that the page chose. */
  group: string | undefined
  readonly draft: Kept
  readonly kept: Kept

  constructor(readonly chat: Chat, key: string, aside: Aside) {
    this.draft = new Kept(key, 'form', aside)
    this.kept = new Kept(key, 'session', aside)
  }

  /** Load what is needed; returns whether it is there, and offers to do `again` what needed it where it is not. */
  async need(again = (): void => void this.need()): Promise<boolean> {
    try {
      const later = await import('./later')
      if (!this.words) await later.speak(this.chat)
      this.later = later
      this.again = null
      later.person.take(this.chat)
    } catch {
      this.again = again
    }
    this.chat.changed()
    return !this.again
  }

  /** A visitor pressed a button: show the form, or ask for a person. */
  async open(name: Part): Promise<void> {
    if (await this.need(() => void this.open(name))) this.later?.[name].open(this.chat)
  }

  /** Something is told of a session; one that is over and was never shown is nobody's business. */
  news(told: Partial<Session> | null): void {
    if (!this.later && !this.fresh.length && (told?.state ?? 'ended') === 'ended') return
    this.fresh.push(told)
    void this.need()
  }

  /** It is known whose conversation this is: go on with what was under way before a reload. */
  restore(): void {
    if (this.kept.get()) void this.resume()
    if (!this.isForm && this.draft.get<{ open: boolean }>()?.open) void this.open('form')
  }

  async resume(): Promise<void> {
    if (await this.need(() => void this.resume())) await this.later?.person.resume(this.chat)
  }

  /** Forget the visitor. */
  clear(): void {
    this.later?.form.close(this.chat)
    this.draft.set(null)
    this.kept.set(null)
    this.session = null
    this.fresh = []
  }
}
