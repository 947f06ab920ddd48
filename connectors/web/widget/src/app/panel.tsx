/** The whole panel: head, what was said, where to write; or why there is no chat. */
import { useEffect, useRef } from 'preact/hooks'
import { inkOn, isColour } from '../colour'
import type { Chat } from './chat'
import { Composer } from './composer'
import { Icon } from './icons'
import { Log } from './log'
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

export function Panel({ chat }: { chat: Chat }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => dress(chat))
  if (!chat.words) return <div class="panel" aria-busy="true" />
  const name = chat.config?.texts?.['title'] ?? chat.config?.inbox.name ?? chat.word('title')
  const agent = chat.talk.agent

  const key = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') chat.close()
    if (event.key !== 'Tab' || !chat.isSheet) return
    // A sheet covers the page: the focus goes round inside it.
    const all = box.current?.querySelectorAll<HTMLElement>('a[href], button:enabled, textarea, [tabindex="0"]') ?? []
    const [from, to] = event.shiftKey ? [all[0], all[all.length - 1]] : [all[all.length - 1], all[0]]
    if (document.activeElement !== from) return
    event.preventDefault()
    to?.focus()
  }

  return (
    <div class="panel" ref={box} role="dialog" aria-label={name} aria-modal={chat.isSheet} onKeyDown={key}>
      <a class="skip" href="#write" onClick={(event) => { event.preventDefault(); document.getElementById('write')?.focus() }}>{chat.word('skip')}</a>
      <header>
        {agent ? <span class="face" aria-hidden="true">{[...agent][0]}</span> : null}
        <div>
          <h1 dir="auto">{agent || name}</h1>
          {agent || chat.word('reply') ? <p dir="auto">{agent ? name : chat.word('reply')}</p> : null}
        </div>
        <button type="button" aria-label={chat.word('close')} onClick={() => chat.close()}><Icon name="close" /></button>
      </header>
      {chat.trouble ? (
        <p class="trouble" role="alert">{chat.word(chat.trouble)}</p>
      ) : (
        <>
          {chat.isOnline && navigator.onLine ? null : <p class="offline" role="status">{chat.word('offline')}</p>}
          <Log chat={chat} />
          <p class="unseen" role="status" aria-live="polite">{chat.said}</p>
          <Composer chat={chat} />
        </>
      )}
    </div>
  )
}
