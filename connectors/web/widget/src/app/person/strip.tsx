/** The strip that tells of a person: the place in line, who helps, how it ended. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { word, type Word } from '../asking'
import type { Chat } from '../chat'
import { Icon } from '../icons'
import { drop, finish, request, standing } from './session'

/** Whether the focus is to go to the strip, because the button that had it is gone. */
let wanted = false

/** The visitor pressed the button: what goes wrong is said in the strip. */
export function begin(chat: Chat): void {
  const { parts } = chat
  if (!parts.session) parts.session = { id: '', state: 'asking' }
  wanted = true
  chat.changed()
  request(chat, undefined).catch(() => {
    if (parts.session?.state === 'asking') parts.session = { id: '', state: 'failed' }
    chat.said = word(chat, 'notNow')
    chat.changed()
  })
}

const WAITING = ['queued', 'offered', 'asked']

interface Props {
  chat: Chat
  state: string
  busy: boolean
  /** Do something that may fail; what is said then is the strip's business. */
  act: (work: () => Promise<unknown>) => void
}

const Act = ({ chat, name, busy, press }: { chat: Chat; name: Word; busy: boolean; press: () => void }) =>
  <button type="button" class="press" disabled={busy} onClick={press}>{word(chat, name)}</button>

function Line({ chat, busy, act }: Props) {
  const { config, parts } = chat
  return (
    <>
      <Act chat={chat} name="leaveLine" busy={busy} press={() => act(() => finish(chat))} />
      {config?.features['submission'] && !parts.isForm ? <Act chat={chat} name="instead" busy={busy} press={() => void parts.open('form')} /> : null}
    </>
  )
}

/** The end of a talk is asked twice: nobody can take it back. */
function Talk({ chat, busy, act }: Props) {
  const [sure, setSure] = useState(false)
  const turn = (to: boolean): void => {
    wanted = true
    setSure(to)
    chat.changed()
  }
  return sure ? (
    <>
      <p><bdi>{word(chat, 'sure')}</bdi></p>
      <Act chat={chat} name="endYes" busy={busy} press={() => act(() => finish(chat))} />
      <Act chat={chat} name="endNo" busy={busy} press={() => turn(false)} />
    </>
  ) : <Act chat={chat} name="end" busy={busy} press={() => turn(true)} />
}

function Over({ chat, busy, act }: Props) {
  const hide = (): void => {
    drop(chat)
    chat.focus++
  }
  return (
    <>
      {chat.config?.features['request_human'] ? <Act chat={chat} name="askAgain" busy={busy} press={() => act(() => request(chat, undefined))} /> : null}
      <button type="button" class="gone" aria-label={word(chat, 'dismiss')} onClick={hide}><Icon name="close" /></button>
    </>
  )
}

const actsIn = (state: string) => (state === 'active' ? Talk : WAITING.includes(state) ? Line : state === 'asking' ? null : Over)

export function Strip({ chat }: { chat: Chat }) {
  const box = useRef<HTMLElement>(null)
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState(false)
  const { session } = chat.parts

  useEffect(() => {
    if (wanted) box.current?.focus()
    wanted = false
  })
  if (!session) return null

  const work = async (task: () => Promise<unknown>): Promise<void> => {
    setBusy(true)
    setWrong(false)
    await task().catch(() => setWrong(true))
    setBusy(false)
    wanted = true
    if (!chat.parts.session) chat.focus++
    chat.changed()
  }
  const { state } = session
  const Acts = actsIn(state)
  return (
    <section class="person" ref={box} tabIndex={-1} aria-label={chat.word('person')} aria-busy={busy || state === 'asking'}>
      <p><bdi>{standing(chat, session)}</bdi></p>
      {wrong ? <p class="wrong" role="alert"><bdi>{word(chat, 'notNow')}</bdi></p> : null}
      {Acts ? <div class="acts"><Acts key={state} chat={chat} state={state} busy={busy} act={(task) => void work(task)} /></div> : null}
    </section>
  )
}
