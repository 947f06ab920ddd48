/**
 * Leaving a message: the form as it is, what was answered so far, and sending it exactly once.
 *
 * The answers are kept at every key with one client id. Without an answer of the server it is tried again with that id;
 * the server stores it once, however often it hears of it.
 */
import type { ApiError } from '../api'
import { ask, word, type Word } from '../asking'
import type { Chat } from '../chat'
import type { Message } from '../wire'
import { carried, filled, mistakesIn, refused, type Answer, type Answers, type Form, type Mistakes } from './form'

export type Stage = 'loading' | 'broken' | 'fill' | 'sending' | 'sent' | 'off'

export interface Submission {
  id: string
  reference: string | null
  mode: string
  state: string
  created_at: string
}

export interface Mine extends Submission {
  last_reply?: Message | null
}

interface Draft {
  open: boolean
  client_id: string
  answers: Answers
  /** Whether it was sent and no answer came. */
  sending: boolean
}

const LONGEST_S = 30
/** Code of a refusal → what is said of it. */
const TROUBLES: Record<string, Word> = { rate_limited: 'tooOften', field_errors: 'mistakes', client_id_conflict: 'twice' }

export class Leaving {
  stage: Stage = 'loading'
  form: Form | null = null
  answers: Answers = {}
  mistakes: Mistakes = {}
  /** Why the form is shown, where nobody asked for it. */
  intro: Word | '' = ''
  /** What is said at the end of the form, and how many seconds it speaks of. */
  trouble: Word | '' = ''
  wait = 0
  sent: Submission | null = null
  /** What was left before; null while the list is not shown. */
  mine: Mine[] | null = null
  /** Counts the times that the focus is to go to the head, or to the first mistake. */
  heads = 0
  wrongs = 0
  #clientId = ''
  #tries = 0
  #busy = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(readonly chat: Chat) {
    addEventListener('online', () => this.#timer && void this.send())
  }

  /** Show the form: one that came along, or the one that the server has now. */
  async open(form?: Form): Promise<void> {
    const { parts } = this.chat
    const kept = parts.draft.get<Draft>()
    parts.isForm = true
    this.mine = null
    this.heads++
    this.chat.changed()
    // What is on its way goes its way.
    if (this.#busy || this.#timer) return
    this.answers = kept?.answers ?? {}
    this.#clientId = kept?.client_id ?? crypto.randomUUID()
    this.intro = form ? 'nobodyFree' : ''
    this.trouble = ''
    this.#keep(kept?.sending)
    await this.load(form)
    if (kept?.sending) await this.send()
  }

  /** Back to the conversation; what was written stays. */
  close(): void {
    const { chat } = this
    chat.parts.isForm = false
    if (this.stage === 'sent') this.stage = 'loading'
    this.#keep()
    chat.focus++
    chat.wake()
  }

  async load(form?: Form): Promise<void> {
    const { group } = this.chat.parts
    if (form) return this.#draw(form)
    this.stage = 'loading'
    this.chat.changed()
    try {
      this.#draw(await ask<Form>(this.chat, 'GET', `submissions/form${group ? `?group_id=${encodeURIComponent(group)}` : ''}`))
    } catch (error) {
      if ((error as ApiError).code === 'submission_disabled') this.#off()
      else this.stage = 'broken'
      this.chat.changed()
    }
  }

  #draw(form: Form): void {
    this.form = form
    this.answers = carried(form.fields, this.answers)
    this.stage = 'fill'
    this.#keep()
    this.chat.changed()
  }

  answer(key: string, answer: Answer): void {
    this.answers = { ...this.answers, [key]: answer }
    this.mistakes = Object.fromEntries(Object.entries(this.mistakes).filter(([name]) => name !== key))
    this.#keep()
    this.chat.changed()
  }

  /** Write on: what waits for the network is not sent as it is. */
  change(): void {
    this.#stop()
    this.stage = 'fill'
    this.trouble = ''
    this.heads++
    this.#keep()
    this.chat.changed()
  }

  another(): void {
    this.sent = null
    void this.open()
  }

  async send(): Promise<void> {
    const { chat, form } = this
    if (!form || this.#busy || !['fill', 'sending'].includes(this.stage)) return
    this.#stop()
    // What is tried again still has no answer.
    if (this.stage !== 'sending') this.trouble = ''
    this.mistakes = mistakesIn(form.fields, this.answers)
    if (Object.keys(this.mistakes).length) return this.#wrong('mistakes')
    this.stage = 'sending'
    this.#busy = true
    this.#keep(true)
    chat.changed()
    const { group: group_id } = chat.parts
    const values = filled(form.fields, this.answers)
    try {
      const body = { client_id: this.#clientId, group_id, form_version: form.version, values }
      const { submission } = await ask<{ submission: Submission }>(chat, 'POST', 'submissions', body)
      this.#busy = false
      this.#arrived(submission)
    } catch (error) {
      this.#busy = false
      this.#refused(error as ApiError)
    }
    chat.changed()
  }

  #arrived(submission: Submission): void {
    const { chat } = this
    this.#tries = 0
    this.sent = submission
    this.stage = 'sent'
    this.answers = {}
    this.#clientId = crypto.randomUUID()
    this.#keep()
    // Whoever left a message waits in no line any more.
    chat.parts.later?.person.drop(chat)
    this.heads++
    const { reference, mode } = submission
    chat.said = `${word(chat, 'thanks')} ${reference ? word(chat, 'reference', { ref: reference }) : ''}`
    chat.tell({ t: 'event', name: 'offline-form-sent', detail: { reference, mode } })
  }

  #refused(error: ApiError): void {
    const { code, body, retryAfter } = error
    if (code === 'form_outdated') {
      this.#draw(body['form'] as Form)
      return this.#wrong('outdated')
    }
    if (code === 'submission_disabled') return this.#off()
    if (error.passes && error.status !== 429) return this.#later(retryAfter)
    if (code === 'client_id_conflict') this.#clientId = crypto.randomUUID()
    this.wait = retryAfter
    this.mistakes = refused(body['errors'], this.form?.fields ?? [])
    this.#wrong(TROUBLES[code] ?? 'refused')
  }

  #off(): void {
    const { config } = this.chat
    this.stage = 'off'
    if (config) config.features['submission'] = false
    this.heads++
    this.#keep()
  }

  #wrong(trouble: Word): void {
    this.stage = 'fill'
    this.trouble = trouble
    if (Object.keys(this.mistakes).length) this.wrongs++
    this.#keep()
    this.chat.changed()
  }

  /** No answer came: try again after 1, 2, 4 … 30 s with full jitter, or as soon as the network is back. */
  #later(least: number): void {
    const most = Math.min(LONGEST_S, 2 ** this.#tries++)
    this.trouble = 'unsent'
    this.#timer = setTimeout(() => void this.send(), (least + Math.random() * most) * 1000)
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Show what was left before, and what became of it. */
  async list(asked = true): Promise<void> {
    try {
      this.mine = (await ask<{ submissions: Mine[] }>(this.chat, 'GET', 'submissions')).submissions
      if (asked) this.heads++
      this.trouble = ''
    } catch {
      this.trouble = 'refused'
    }
    this.chat.changed()
  }

  unlist(): void {
    this.mine = null
    this.heads++
    this.chat.changed()
  }

  /** Forget the visitor. */
  forget(): void {
    this.#stop()
    this.chat.parts.isForm = false
    this.answers = {}
    this.stage = 'loading'
    this.sent = this.mine = null
  }

  #keep(sending = false): void {
    const { draft, isForm } = this.chat.parts
    const open = isForm && this.stage !== 'sent' && this.stage !== 'off'
    draft.set({ open, client_id: this.#clientId, answers: this.answers, sending } satisfies Draft)
  }
}
