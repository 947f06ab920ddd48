/** What was said, in days and turns; keeps its place while older messages come in above. */
import { Fragment } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Chat } from './chat'
import { Icon } from './icons'
import { Said, Unsent } from './message'
import { dayOf } from './telling'
import type { Message } from './wire'

const TURN_MS = 300_000
const NEAR = 60

const sameTurn = (one: Message | undefined, other: Message | undefined): boolean =>
  !!one && !!other && one.kind !== 'notice' && other.kind !== 'notice' &&
  one.author.kind === other.author.kind && one.author.id === other.author.id &&
  Math.abs(Date.parse(one.created_at) - Date.parse(other.created_at)) < TURN_MS

/** Every message, each day under its name. */
function days(chat: Chat) {
  const { messages } = chat.talk
  let day = ''
  return messages.map((message, at) => {
    const today = dayOf(message.created_at, chat.locale)
    const begins = today !== day
    day = today
    return (
      <Fragment key={message.id}>
        {begins ? <li class="day"><span>{today}</span></li> : null}
        <Said chat={chat} message={message}
          first={begins || !sameTurn(messages[at - 1], message)} last={!sameTurn(message, messages[at + 1])} />
      </Fragment>
    )
  })
}

/** Suggested answers: good while nothing was said after them. */
function Offers({ chat }: { chat: Chat }) {
  const last = chat.talk.messages.at(-1)
  if (!last?.options?.length || chat.outbox.items.length) return null
  return (
    <li class="offers">
      {last.options.map((one) => <button type="button" class="press" onClick={() => chat.press(last, one)} dir="auto">{one.label}</button>)}
    </li>
  )
}

export function Log({ chat }: { chat: Chat }) {
  const box = useRef<HTMLDivElement>(null)
  const place = useRef({ fromEnd: 0, height: 0, first: '', last: '' })
  const [away, setAway] = useState(false)
  const { messages } = chat.talk
  const more = !!chat.gap
  const first = messages[0]?.id ?? ''
  const last = messages.at(-1)?.id ?? ''
  const count = messages.length + chat.outbox.items.length

  const scrolled = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = box.current as HTMLDivElement
    place.current.fromEnd = scrollHeight - scrollTop - clientHeight
    place.current.height = scrollHeight
    setAway(place.current.fromEnd > 400)
    if (scrollTop < NEAR && more) void chat.earlier()
  }
  const toEnd = (): void => box.current?.scrollTo({ top: box.current.scrollHeight })

  useLayoutEffect(() => {
    const list = box.current as HTMLDivElement
    const known = place.current
    // Older ones came in above: what was looked at stays where it was.
    if (known.first && first !== known.first && last === known.last) list.scrollTop += list.scrollHeight - known.height
    else if (known.fromEnd < NEAR || chat.outbox.items.length) toEnd()
    known.height = list.scrollHeight
    known.first = first
    known.last = last
  }, [first, last, count, chat.isOpen, chat.typist])

  useLayoutEffect(() => {
    // Pictures get their height late.
    const watch = new ResizeObserver(() => void (place.current.fromEnd < NEAR && toEnd()))
    watch.observe((box.current as HTMLDivElement).firstElementChild as Element)
    watch.observe(box.current as HTMLDivElement)
    return () => watch.disconnect()
  }, [])

  return (
    <div class="talk">
      <div class="log" ref={box} onScroll={scrolled} role="log" aria-live="off" aria-label={chat.word('log')} tabIndex={0}>
        <ol>
          {more ? <li class="day"><button type="button" onClick={() => void chat.earlier()}>{chat.word('earlier')}</button></li> : null}
          {more || !chat.config ? null : <li class="hello" dir="auto">{chat.word('greeting')}</li>}
          {days(chat)}
          {chat.outbox.items.map((one) => <Unsent key={one.client_id} chat={chat} one={one} />)}
          {chat.typist ? (
            <li class="said"><div class="bubble typing" role="img" aria-label={chat.word('typing', { name: chat.typist })}><i /><i /><i /></div></li>
          ) : null}
          <Offers chat={chat} />
        </ol>
      </div>
      {away ? <button type="button" class="latest" aria-label={chat.word('latest')} onClick={toEnd}><Icon name="down" /></button> : null}
    </div>
  )
}
