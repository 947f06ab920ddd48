/** Talking to a person: what there is, how it is told, and the three calls. */
import type { ApiError } from '../api'
import { ask, durationOf, word, type Word } from '../asking'
import type { Chat } from '../chat'
import type { Form } from '../form/form'
import type { Page, Session } from '../wire'

/** What was kept of a session, and from where on there may be news of it. */
interface Memory {
  session: Session
  cursor: string
}

interface Offered {
  outcome: 'offline_form'
  form: Form
}

const MOST_PAGES = 20

/** Return a session with what was told of it: a lower revision is old news, a place is nobody's who waits no more. */
export function told(known: Session | null, news: Partial<Session> | null): Session | null {
  if (!news) return null
  if (!news.id) return known?.state === 'queued' ? { ...known, queue: news.queue } : known
  // A session that was asked for elsewhere has no id yet.
  if (known && ['', news.id].includes(known.id)) return moved(known, news)
  return news.state === 'bot' || news.state === 'ended' ? known : (news as Session)
}

function moved(known: Session, news: Partial<Session>): Session | null {
  if ((news.rev ?? 0) < (known.rev ?? 0)) return known
  // Who helped is still worth saying when it is over.
  return news.state === 'bot' ? null : { ...(news as Session), agent: news.agent ?? known.agent }
}

/** Reasons of an end, as far as they are worth telling apart. */
const REASONS: [RegExp, Word][] = [[/^(abandoned|left_submission)$/, 'lineLeft'], [/^(customer|agent|admin)_/, 'over']]

/** Say how it stands, in one or two sentences. */
export function standing(chat: Chat, session: Session): string {
  const { state, queue, end_reason } = session
  const name = session.agent?.name ?? ''
  switch (state) {
    case 'queued': return queue ? place(chat, queue) : word(chat, 'inLine')
    case 'offered': return word(chat, 'offered')
    case 'active': return word(chat, name ? 'helps' : 'helped', { name })
    case 'ended': return name ? word(chat, 'overWith', { name }) : word(chat, ended(end_reason ?? ''))
    case 'failed': return word(chat, 'notNow')
    default: return word(chat, 'asked')
  }
}

const ended = (reason: string): Word => REASONS.find(([shape]) => shape.test(reason))?.[1] ?? 'nobody'

function place(chat: Chat, { position, ahead, wait_estimate_s }: NonNullable<Session['queue']>): string {
  const before = ahead ? word(chat, 'ahead', { n: ahead }) : word(chat, 'nextUp')
  const time = wait_estimate_s ? word(chat, 'estimate', { time: durationOf(Math.max(60, wait_estimate_s), chat.locale) }) : ''
  return [word(chat, 'lineAt', { n: position }), before, time].filter(Boolean).join(' ')
}

/** Take in what was told, say it, and keep it for the next page. */
export function take(chat: Chat): void {
  const { parts } = chat
  const before = parts.session
  for (const news of parts.fresh.splice(0)) parts.session = told(parts.session, news)
  if (parts.session === before) return
  keep(chat)
  if (parts.session) announce(chat, before, parts.session)
  chat.changed()
}

/** Say to a screen reader and to the page what is new. */
function announce(chat: Chat, before: Session | null, session: Session): void {
  const text = standing(chat, session)
  const { state, agent, queue } = session
  if (!before || text !== standing(chat, before)) chat.said = text
  if (state !== before?.state) chat.tell({ t: 'event', name: 'session', detail: { state, agent: agent ?? null } })
  if (queue && queue.position !== before?.queue?.position) chat.tell({ t: 'event', name: 'queue', detail: queue })
}

function keep({ parts, live }: Chat): void {
  const { session, kept } = parts
  const cursor = live.cursor || (kept.get<Memory>()?.cursor ?? '')
  kept.set(session && session.state !== 'ended' ? ({ session, cursor } satisfies Memory) : null)
}

/** Go on with what was kept before a reload, if it is this visitor's, and hear what became of it meanwhile. */
export async function resume(chat: Chat): Promise<void> {
  const { parts, talk } = chat
  const memory = parts.kept.get<Memory>()
  const isOurs = talk.lines.some(({ id }) => id === memory?.session.thread_id)
  if (!memory || !isOurs) {
    drop(chat)
    return
  }
  if (!parts.session) parts.fresh.unshift(memory.session)
  take(chat)
  await hear(chat, memory.cursor)
}

/** Hear how it stands: from the application where it can say so, else from all changes since a cursor. */
async function hear(chat: Chat, cursor: string): Promise<void> {
  try {
    chat.parts.fresh.push((await ask<{ session: Session | null }>(chat, 'GET', 'threads/live/session')).session)
  } catch (error) {
    if ((error as ApiError).status === 404) await read(chat, cursor)
  }
  take(chat)
}

/** Read what was told of sessions since a cursor. From one that is over nothing is known any more. */
async function read({ parts, api }: Chat, cursor: string): Promise<void> {
  let from = cursor
  try {
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const page = await api.call<Page>('GET', `changes?limit=200&cursor=${encodeURIComponent(from)}`)
      if (page.reset) return void parts.fresh.push(null)
      for (const { type, data } of page.changes) if (type === 'session.changed') parts.fresh.push(data as Partial<Session>)
      from = page.cursor
      if (!page.more) return
    }
  } catch (error) {
    if ((error as ApiError).status === 410) parts.fresh.push(null)
  }
}

/** Nothing is known of a session any more. */
export function drop(chat: Chat): void {
  chat.parts.session = null
  keep(chat)
  chat.changed()
}

/** Ask for a person; the answer is a session, or the form where nobody is there. Raises ApiError. */
export async function request(chat: Chat, wish: unknown): Promise<unknown> {
  const { parts } = chat
  const { group: group_id } = parts
  try {
    const answer = await ask<Session | Offered>(chat, 'POST', 'threads/live/human', { group_id, ...(wish as object | undefined) })
    if ('outcome' in answer) {
      parts.later?.form.open(chat, answer.form)
    } else begin(chat, answer)
    return answer
  } catch (error) {
    const { code, body } = error as ApiError
    if (code !== 'already_requested') throw error
    const found = (body['session'] as Session | undefined) ?? parts.session ?? { id: '', state: 'asked' }
    begin(chat, found)
    return found
  }
}

function begin(chat: Chat, session: Session): void {
  const { parts } = chat
  if (session.id) {
    parts.fresh.push(session)
    take(chat)
  } else parts.session = session
  chat.changed()
}

/** Leave the line, or end the talk. When there is nothing to leave, that is what was wanted. Raises ApiError. */
export async function finish(chat: Chat): Promise<void> {
  const { parts } = chat
  const session = parts.session
  const isTalk = session?.state === 'active'
  try {
    const answer = isTalk
      ? await ask<Session>(chat, 'POST', 'threads/live/end', {})
      : await ask<Session>(chat, 'DELETE', 'threads/live/queue')
    parts.fresh.push(answer)
    take(chat)
  } catch (error) {
    if (!['not_queued', 'no_session'].includes((error as ApiError).code)) throw error
    const memory = parts.kept.get<Memory>()
    if (memory) await hear(chat, memory.cursor)
    // Nothing new was told, and yet there is nothing to leave.
    if (parts.session === session) drop(chat)
  }
}
