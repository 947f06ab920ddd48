/** The whole panel: head, what was said, where to write; or why there is no chat. */
import { useEffect, useRef } from 'preact/hooks'
import { inkOn, isColour } from '../colour'
import type { Chat } from './chat'
import { Composer } from './composer'
import { Icon } from './icons'
import { Log } from './log'
import type { Part } from './parts'
import { languageOf } from './words'

/** Give the document its language, direction and colours. */
function dress(chat: Chat): void {
  const { documentElement: root } = document
  const { look, config } = chat
  const accent = [look.accent, config?.theme.accent].find(isColour) ?? '#1f6feb'
  const mode = look.mode && look.mode !== 'auto' ? look.mode : (config?.theme.mode ?? 'auto')
  root.lang = languageOf(config?.locale ?? chat.api.locale)
  root.dir = chat.dir === 'rtl' ? 'rtl' : (config?.direction ?? 'ltr')
  root.dataset['mode'] = mode
  root.style.setProperty('--accent', accent)
  root.style.setProperty('--ink', inkOn(accent))
  document.title = chat.word('title')
}

/** Other ways than writing here, where the server offers them. */
function Ways({ chat }: { chat: Chat }) {
  const { parts, config } = chat
  const way = (name: Part, word: 'leave' | 'person') =>
    <button type="button" class="press" onClick={() => void parts.open(name)}>{chat.word(word)}</button>
  const { request_human, submission } = config?.features ?? {}
  // While there is somebody, or a line, the strip says what can be done.
  if (parts.session ? parts.session.state !== 'ended' || !submission : !request_human && !submission) return null
  return (
    <div class="ways">
      {request_human && !parts.session ? way('person', 'person') : null}
      {submission ? way('form', 'leave') : null}
    </div>
  )
}

/** A part that did not come: say so, and offer it again. */
function Missing({ chat }: { chat: Chat }) {
  const { again } = chat.parts
  return again ? (
    <p class="offline" role="alert">{chat.word('missing')} <button type="button" onClick={again}>{chat.word('again')}</button></p>
  ) : null
}

function Head({ chat, name }: { chat: Chat; name: string }) {
  const { agent } = chat.talk
  const below = agent ? name : chat.word('reply')
  return (
    <header>
      {agent ? <span class="face" aria-hidden="true">{[...agent][0]}</span> : null}
      <div>
        <h1 dir="auto">{agent || name}</h1>
        {below ? <p dir="auto">{below}</p> : null}
      </div>
      <button type="button" aria-label={chat.word('close')} onClick={() => chat.tell({ t: 'close' })}><Icon name="close" /></button>
    </header>
  )
}

/** The conversation; a form may cover it, and then it stays as it was. */
function Talk({ chat }: { chat: Chat }) {
  const { later, session, isForm } = chat.parts
  return (
    <>
      {chat.isOnline && navigator.onLine ? null : <p class="offline" role="status">{chat.word('offline')}</p>}
      <Missing chat={chat} />
      {later && session ? <later.person.Strip chat={chat} /> : null}
      {later && isForm ? <later.form.Page chat={chat} /> : null}
      <div class="main" hidden={isForm}><Log chat={chat} /></div>
      <p class="unseen" role="status" aria-live="polite">{chat.said}</p>
      <div hidden={isForm}>
        <Ways chat={chat} />
        <Composer chat={chat} />
      </div>
    </>
  )
}

export function Panel({ chat }: { chat: Chat }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => dress(chat))
  if (!chat.words) return <div class="panel" aria-busy="true" />
  const name = chat.config?.texts?.['title'] ?? chat.config?.inbox.name ?? chat.word('title')

  const key = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') chat.tell({ t: 'close' })
    if (event.key !== 'Tab' || !chat.isSheet) return
    // A sheet covers the page: the focus goes round inside it.
    const found = box.current?.querySelectorAll<HTMLElement>('a, button:enabled, input, select, textarea, [tabindex="0"]') ?? []
    const all = [...found].filter((one) => one.offsetParent)
    const [from, to] = event.shiftKey ? [all[0], all[all.length - 1]] : [all[all.length - 1], all[0]]
    if (document.activeElement !== from) return
    event.preventDefault()
    to?.focus()
  }

  return (
    <div class="panel" ref={box} role="dialog" aria-label={name} aria-modal={chat.isSheet} onKeyDown={key}>
      {chat.parts.isForm ? null : <a class="skip" href="#write" onClick={(event) => { event.preventDefault(); document.getElementById('write')?.focus() }}>{chat.word('skip')}</a>}
      <Head chat={chat} name={name} />
      {chat.trouble ? <p class="trouble" role="alert">{chat.word(chat.trouble)}</p> : <Talk chat={chat} />}
    </div>
  )
}
