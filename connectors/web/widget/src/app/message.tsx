/** One message, of any kind. */
import type { Chat } from './chat'
import { Icon } from './icons'
import { isMine, line } from './model'
import type { Waiting } from './outbox'
import { sizeOf, timeOf } from './telling'
import { Outside, Text } from './text'
import type { Attachment, Card, Message } from './wire'

interface Props {
  chat: Chat
  message: Message
}

const MAP = 'https://www.openstreetmap.org/?mlat='

function Picture({ file, alt }: { file: Attachment; alt: string }) {
  const { url, preview_url, width, height, name } = file
  return (
    <Outside url={url} class="picture">
      <img src={preview_url ?? url ?? ''} alt={name || alt} width={width ?? undefined} height={height ?? undefined} loading="lazy" />
    </Outside>
  )
}

function Attached({ chat, file, kind }: { chat: Chat; file: Attachment; kind: string }) {
  const url = file.url ?? undefined
  if (url && kind === 'image') return <Picture file={file} alt={chat.word('picture')} />
  // What customers and agents record has no subtitles.
  if (url && kind === 'video') return <video src={url} controls preload="metadata" aria-label={file.name ?? kind} />
  if (url && kind === 'audio') return <audio src={url} controls preload="metadata" aria-label={file.name ?? kind} />
  return (
    <Outside url={url} class="file">
      <Icon name="file" />
      <span><bdi>{file.name ?? kind}</bdi>{file.size ? <small>{sizeOf(file.size, chat.locale)}</small> : null}</span>
    </Outside>
  )
}

function Sheet({ chat, message, card }: Props & { card: Card }) {
  return (
    <div class="card">
      {card.image ? <Picture file={card.image} alt="" /> : null}
      {card.title ? <strong dir="auto">{card.title}</strong> : null}
      {card.body ? <p dir="auto"><Text text={card.body} /></p> : null}
      {card.actions?.map((action) =>
        action.url
          ? <Outside url={action.url} class="press">{action.label}</Outside>
          : <button type="button" class="press" disabled={!!message.answered} onClick={() => chat.press(message, action)}>{action.label}</button>)}
    </div>
  )
}

function Place({ chat, message }: Props) {
  const at = [message.latitude, message.longitude].map(String)
  return (
    <Outside url={`${MAP}${at.join('&mlon=')}#map=16/${at.join('/')}`} class="file">
      <Icon name="place" /><span>{message.title ?? chat.word('place')}</span>
    </Outside>
  )
}

function Content({ chat, message }: Props) {
  const { kind, text, attachments = [] } = message
  if (kind === 'redacted') return <em dir="auto">{chat.word('recalled')}</em>
  if (kind === 'location') return <Place chat={chat} message={message} />
  if (kind === 'card') return <Sheet chat={chat} message={message} card={message} />
  if (kind === 'carousel') return <>{message.cards?.map((card) => <Sheet chat={chat} message={message} card={card} />)}</>
  const words = text || (attachments.length ? '' : message.fallback || chat.word('unknown'))
  return (
    <>
      {message.quoted?.text ? <blockquote dir="auto">{message.quoted.text}</blockquote> : null}
      {attachments.map((file) => <Attached chat={chat} file={file} kind={kind} />)}
      {words ? <p dir="auto"><Text text={words} /></p> : null}
    </>
  )
}

/** Who, what, when; `first` and `last` of those that one person said in a row. */
export function Said({ chat, message, first, last }: Props & { first: boolean; last: boolean }) {
  if (message.kind === 'notice') return <li class="notice" dir="auto">{message.text}</li>
  const mine = isMine(message)
  const name = mine ? chat.word('you') : (message.author.name ?? chat.word('them'))
  const seen = message.pos <= line(chat.talk, message.thread_id).seen
  return (
    <li class={`said ${mine ? 'mine' : ''} is-${message.kind}`} data-message={message.id}>
      <span class={first && !mine ? 'name' : 'unseen'}>{name}</span>
      <div class="bubble"><Content chat={chat} message={message} /></div>
      {last ? (
        <span class="when">
          {message.edited_at ? `${chat.word('edited')} · ` : ''}
          <time dateTime={message.created_at}>{timeOf(message.created_at, chat.locale)}</time>
          {mine ? <Icon name={seen ? 'twice' : 'once'} label={chat.word(seen ? 'seen' : 'sent')} /> : null}
        </span>
      ) : null}
    </li>
  )
}

const PROBLEMS: Record<string, 'failedLarge' | 'failedText' | 'failedFile'> = {
  too_large: 'failedLarge', text_too_long: 'failedText', type_not_allowed: 'failedFile', mime_mismatch: 'failedFile', infected: 'failedFile',
}

function Failure({ chat, one }: { chat: Chat; one: Waiting }) {
  return (
    <span class="when" role="alert">
      <span dir="auto">{chat.word(PROBLEMS[one.problem ?? ''] ?? 'failed')}</span>
      <button type="button" onClick={() => chat.outbox.again(one.client_id)}>{chat.word('again')}</button>
      <button type="button" onClick={() => chat.outbox.drop(one.client_id)}>{chat.word('discard')}</button>
    </span>
  )
}

/** What is not there yet. */
export function Unsent({ chat, one }: { chat: Chat; one: Waiting }) {
  const { file, preview, progress, text } = one
  const failed = one.state === 'failed'
  const isPlain = file && !preview
  return (
    <li class={`said mine ${failed ? 'failed' : 'pending'} ${preview ? 'is-image' : ''}`} data-unsent={one.client_id}>
      <span class="unseen">{chat.word('you')}</span>
      <div class="bubble">
        {preview ? <img src={preview} alt={file?.name ?? chat.word('picture')} /> : null}
        {isPlain ? <span class="file"><Icon name="file" /><span><bdi>{file.name}</bdi></span></span> : null}
        {text ? <p dir="auto"><Text text={text} /></p> : null}
        {file && !failed ? <progress value={progress ?? 0} aria-label={chat.word('pending')} /> : null}
      </div>
      {failed ? <Failure chat={chat} one={one} /> : (
        <span class="when"><Icon name="clock" label={chat.word(chat.isOnline ? 'pending' : 'waiting')} /></span>
      )}
    </li>
  )
}
