/** The page with the leave-a-message form. */
import { useEffect, useRef } from 'preact/hooks'
import { durationOf, word } from '../asking'
import type { Chat } from '../chat'
import { Icon } from '../icons'
import { unread } from '../model'
import { Text } from '../text'
import { Question } from './field'
import type { Form } from './form'
import { Leaving } from './leaving'
import { Left } from './left'

const all = new WeakMap<Chat, Leaving>()

function leavingOf(chat: Chat): Leaving {
  const found = all.get(chat) ?? new Leaving(chat)
  all.set(chat, found)
  return found
}

export function open(chat: Chat, form?: Form): void {
  void leavingOf(chat).open(form)
}

/** Forget the visitor. */
export function close(chat: Chat): void {
  leavingOf(chat).forget()
}

interface Props {
  chat: Chat
  leaving: Leaving
}

function Trouble({ chat, leaving }: Props) {
  const { trouble, wait } = leaving
  if (!trouble) return null
  return <p class="wrong" role="alert"><bdi>{word(chat, trouble, { time: waiting(chat, wait) })}</bdi></p>
}

const waiting = (chat: Chat, seconds: number): string => durationOf(Math.max(1, seconds), chat.locale)

function Questions({ chat, leaving }: Props) {
  const box = useRef<HTMLFormElement>(null)
  const { form, stage, mistakes, answers, trouble } = leaving
  const isSending = stage === 'sending'
  useEffect(() => {
    if (trouble) box.current?.lastElementChild?.scrollIntoView({ block: 'nearest' })
  }, [trouble])
  useEffect(() => {
    if (leaving.wrongs) box.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
  }, [leaving.wrongs])
  return (
    <form ref={box} noValidate aria-busy={isSending} onSubmit={(event) => { event.preventDefault(); void leaving.send() }}>
      {form?.notice ? <p class="told" dir="auto"><Text text={form.notice} /></p> : null}
      {form?.fields.some((one) => one.required) ? <p class="dim"><bdi>{word(chat, 'mustFill')}</bdi></p> : null}
      <fieldset disabled={isSending}>
        {form?.fields.map((one) => (
          <Question key={one.key} chat={chat} field={one} answer={answers[one.key]} wrong={mistakes[one.key]}
            give={(answer) => leaving.answer(one.key, answer)} />
        ))}
      </fieldset>
      <Trouble chat={chat} leaving={leaving} />
      <div class="acts">
        <button type="submit" class="press go-on" aria-disabled={isSending && trouble !== 'unsent'}>
          {trouble === 'unsent' ? chat.word('again') : isSending ? chat.word('pending') : chat.word('send')}
        </button>
        {trouble === 'unsent' ? <button type="button" class="press" onClick={() => leaving.change()}>{word(chat, 'change')}</button> : null}
      </div>
    </form>
  )
}

function Sent({ chat, leaving }: Props) {
  const { sent } = leaving
  return (
    <div class="sent">
      {sent?.reference ? <p class="reference"><bdi>{word(chat, 'reference', { ref: sent.reference })}</bdi></p> : null}
      <p><bdi>{word(chat, sent?.mode === 'ticket' ? 'nextTicket' : 'nextChat')}</bdi></p>
      <div class="acts">
        <button type="button" class="press go-on" onClick={() => leaving.close()}>{word(chat, 'back')}</button>
        <button type="button" class="press" onClick={() => leaving.another()}>{word(chat, 'another')}</button>
      </div>
    </div>
  )
}

function Body({ chat, leaving }: Props) {
  const { stage } = leaving
  if (leaving.mine) return <Left chat={chat} mine={leaving.mine} />
  if (stage === 'sent') return <Sent chat={chat} leaving={leaving} />
  if (stage === 'loading') return <p class="dim" role="status"><bdi>{word(chat, 'loading')}</bdi></p>
  if (stage === 'off') return <p role="alert"><bdi>{word(chat, 'off')}</bdi></p>
  if (stage === 'broken') {
    return (
      <p role="alert">{chat.word('missing')} <button type="button" class="link" onClick={() => void leaving.load()}>{chat.word('again')}</button></p>
    )
  }
  return (
    <>
      {leaving.intro ? <p class="told"><bdi>{word(chat, leaving.intro)}</bdi></p> : null}
      <Questions chat={chat} leaving={leaving} />
    </>
  )
}

export function Page({ chat }: { chat: Chat }) {
  const leaving = leavingOf(chat)
  const head = useRef<HTMLHeadingElement>(null)
  const { mine, stage } = leaving
  useEffect(() => {
    if (chat.isOpen) head.current?.focus()
  }, [leaving.heads, chat.focus])
  useEffect(() => {
    if (mine) void leaving.list(false)
  }, [chat.talk.messages.length])
  const count = chat.talk.lines.reduce((sum, one) => sum + unread(one), 0)
  const title = mine ? word(chat, 'mine') : stage === 'sent' ? word(chat, 'thanks') : chat.word('leave')
  return (
    <section class="leave" aria-labelledby="leave-head" tabIndex={0}>
      <div class="bar">
        {mine || stage !== 'sent' ? (
          <button type="button" class="link" onClick={() => (mine ? leaving.unlist() : leaving.close())}>
            <Icon name="send" />
            {mine ? chat.word('leave') : word(chat, 'back')}{count && !mine ? ` (${String(count)})` : ''}
          </button>
        ) : null}
        {mine ? null : <button type="button" class="link" onClick={() => void leaving.list()}>{word(chat, 'mine')}</button>}
      </div>
      <h2 id="leave-head" ref={head} tabIndex={-1}><bdi>{title}</bdi></h2>
      <Body chat={chat} leaving={leaving} />
    </section>
  )
}
