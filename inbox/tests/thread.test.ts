import userEvent from '@testing-library/user-event'
import { screen, waitFor, within } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'

import type { Content, Message } from '@/api/types'
import { useInbox } from '@/state/inbox'
import ContentBody from '@/thread/ContentBody.vue'
import DeliveryLine from '@/thread/DeliveryLine.vue'
import MessageItem from '@/thread/MessageItem.vue'
import ThreadView from '@/thread/ThreadView.vue'
import { timeline } from '@/thread/timeline'

import { aPage, aServer, expectAccessible, json, problem } from './page'
import { aDelivery, aFullThread, aMessage, aNote } from './samples'

const FAILED = aMessage({
  direction: 'out', author: { kind: 'agent', id: 'ada', name: 'Ada' }, delivery_state: 'failed', retryable: true,
  deliveries: [aDelivery({
    state: 'failed', attempts: 3,
    reason: { code: 'quota', text: 'The monthly limit is used up.', whose: 'account', platform_text: 'You have reached your limit.' },
  })],
})

describe('a failed reply', () => {
  it('tells the reason, whose it is and the words of the platform', async () => {
    await aPage(DeliveryLine, { message: FAILED })
    const text = document.body.textContent
    for (const words of ['Not delivered', '3 attempts', 'The monthly limit is used up.', 'The reason lies with our account.', 'You have reached your limit.']) {
      expect(text).toContain(words)
    }
  })

  it('can be sent again, once at a time', async () => {
    let answer: (response: Response) => void = () => undefined
    const { asked } = aServer({ 'POST /messages/m1/retry': () => new Promise((resolve) => { answer = resolve }) })
    await aPage(DeliveryLine, { message: FAILED })
    const again = screen.getByRole('button', { name: 'Send again' })
    await userEvent.dblClick(again)
    expect(again).toHaveProperty('disabled', true)
    answer(json({ ...FAILED, delivery_state: 'queued', retryable: false }, 202))
    await waitFor(() => { expect(useInbox().state.conversations.get('t1')?.messages[0]?.delivery_state).toBe('queued') })
    expect(asked).toHaveLength(1)
  })

  it('says beside itself why it cannot be sent again', async () => {
    aServer({ 'POST /messages/m1/retry': () => problem(409, 'already_trying', 'It is being sent already.') })
    await aPage(DeliveryLine, { message: FAILED })
    await userEvent.click(screen.getByRole('button', { name: 'Send again' }))
    expect((await screen.findByRole('alert')).textContent).toContain('It is being sent already.')
  })

  it('that may have arrived twice warns of it', async () => {
    await aPage(DeliveryLine, { message: { ...FAILED, deliveries: [aDelivery({ maybe_duplicate: true })] } })
    expect(screen.getByText('The customer may have got this twice.')).toBeTruthy()
  })
})

const media = { id: 'f1', state: 'pending' as const, mime: null, size: null, name: null, width: null, height: null, duration_ms: null, reason: null }
const KINDS: [Content | { type: 'hologram' }, string][] = [
  [{ type: 'text', text: 'Plain words' }, 'Plain words'],
  [{ type: 'image', media, caption: 'The box' }, 'The box'],
  [{ type: 'video', media }, 'on its way'],
  [{ type: 'audio', media: { ...media, state: 'stored', duration_ms: 14_000 }, voice: true }, 'Voice message'],
  [{ type: 'file', media: { ...media, state: 'refused', name: 'a.exe', reason: 'Programs are not taken.' } }, 'Programs are not taken.'],
  [{ type: 'location', latitude: 25.033964, longitude: 121.564468, title: 'Tower' }, '25.033964, 121.564468'],
  [{ type: 'sticker', keywords: ['please', 'beg'] }, 'please, beg'],
  [{ type: 'choice', data: 'more', title: 'Tell me more' }, 'Tell me more'],
  [{ type: 'card', title: 'Tea set', buttons: [{ title: 'Buy', url: 'https://shop.example/1' }, { title: 'Evil', url: 'javascript:alert(1)' }] }, 'Tea set'],
  [{ type: 'carousel', cards: [{ type: 'card', title: 'One' }, { type: 'card', title: 'Two' }] }, 'Two'],
  [{ type: 'link', url: 'https://shop.example/a', title: 'A page' }, 'A page'],
  [{ type: 'contacts', people: [{ name: 'Bo', phones: ['+48 1'] }] }, '+48 1'],
  [{ type: 'template', name: 'order_update', language: 'en', variables: { order: '7' } }, 'order_update'],
  [{ type: 'unsupported', platform_kind: 'gift', note: 'A gift.' }, 'A gift.'],
  [{ type: 'hologram' }, 'cannot be shown here'],
]

describe('content', () => {
  it.each(KINDS)('%j is shown', async (content, words) => {
    const { container } = await aPage(ContentBody, { content })
    expect(container.textContent).toContain(words)
    await expectAccessible(container)
  })

  it('never becomes a link to a script', async () => {
    const { container } = await aPage(ContentBody, { content: KINDS[8]?.[0] })
    expect([...container.querySelectorAll('a')].map(({ href }) => href)).toEqual(['https://shop.example/1'])
  })
})

describe('a message', () => {
  const show = (change: Partial<Message>) =>
    aPage(MessageItem, { message: aMessage(change), first: true, last: true, me: 'ada', contactName: 'Kim', canQuote: false })

  it('that was taken back leaves a mark and not its words', async () => {
    const { container } = await show({ recalled_at: '2026-11-21T10:00:00.000Z' })
    expect(container.textContent).toContain('The customer took this message back')
    expect(container.textContent).not.toContain('Hello')
  })

  it('that was edited shows its earlier versions on demand', async () => {
    const { container } = await show({ edited_at: '2026-11-21T10:00:00.000Z', previous: [{ type: 'text', text: 'Helo' }] })
    expect(container.textContent).not.toContain('Helo')
    await userEvent.click(screen.getByRole('button', { name: 'edited' }))
    expect(within(screen.getByRole('list', { name: 'Earlier versions' })).getByText('Helo')).toBeTruthy()
  })

  it('that could not be read can be tried again', async () => {
    const { asked } = aServer({ 'POST /quarantine/q1/retry': () => json({}) })
    await show({ placeholder: { quarantine_id: 'q1', reason: 'An unknown shape.' } })
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await screen.findByText('It is being read again.')
    expect(asked).toHaveLength(1)
  })

  it('quotes what it answers', async () => {
    const { container } = await show({ reply_to: { message_id: null, external_id: 'x', preview: 'Where is it?' } })
    expect(container.textContent).toContain('Where is it?')
  })
})

describe('the timeline', () => {
  const at = (time: string) => new Date(`2026-11-${time}`).toISOString()

  it('puts days between messages and notes where their time falls', () => {
    const messages = [aMessage({ at: at('20T10:00:00') }), aMessage({ id: 'm2', position: 2, at: at('21T10:00:00') })]
    const kinds = timeline(messages, [aNote({ at: at('20T11:00:00') })]).map(({ kind }) => kind)
    expect(kinds).toEqual(['day', 'message', 'note', 'day', 'message'])
  })

  it('groups what one person writes within five minutes', () => {
    const messages = [0, 1, 9].map((minute, index) =>
      aMessage({ id: `m${index}`, position: index, at: at(`20T10:0${minute}:00`) }))
    const groups = timeline(messages, []).flatMap((entry) => (entry.kind === 'message' ? [[entry.first, entry.last]] : []))
    expect(groups).toEqual([[true, false], [false, true], [true, true]])
  })
})

describe('the thread', () => {
  const answers = {
    'POST /threads/t1/read': () => new Response(null, { status: 204 }),
    'PUT /threads/t1/assignee': () => json(aFullThread({ assignee: { id: 'ada', name: 'Ada' }, state: 'in_service' })),
    'POST /threads/t1/close': () => json(aFullThread({ state: 'closed' })),
    'GET /threads/t1/history': () => json({ items: [], next_cursor: null }),
  }

  it('can be used by everybody', async () => {
    aServer(answers)
    const { container } = await aPage(ThreadView, { threadId: 't1' })
    await expectAccessible(container)
  })

  it('is assigned with a, closed with e and answered with r', async () => {
    const { asked } = aServer(answers)
    await aPage(ThreadView, { threadId: 't1' })
    await userEvent.keyboard('a')
    await waitFor(() => { expect(useInbox().state.threads.get('t1')?.assignee?.id).toBe('ada') })
    await userEvent.keyboard('e')
    await screen.findByRole('button', { name: 'Reopen' })
    await userEvent.keyboard('r')
    await waitFor(() => { expect(document.activeElement?.tagName).toBe('TEXTAREA') })
    await userEvent.keyboard('ae')
    expect(asked.filter(({ method }) => method === 'PUT')).toHaveLength(1)
  })

  it('shows where it happened why something was refused', async () => {
    aServer({ ...answers, 'POST /threads/t1/close': () => problem(409, 'not_yours', 'Bo is answering this thread.') })
    await aPage(ThreadView, { threadId: 't1' })
    await userEvent.click(screen.getByRole('button', { name: 'Close' }))
    expect((await screen.findByRole('alert')).textContent).toContain('Bo is answering this thread.')
  })

  it('reads out what a customer writes', async () => {
    aServer(answers)
    await aPage(ThreadView, { threadId: 't1' })
    useInbox().arrivals = [aMessage({ id: 'm2', content: { type: 'text', text: 'Still there?' } })]
    await waitFor(() => { expect(screen.getByRole('log').textContent).toContain('Kim: Still there?') })
  })
})
