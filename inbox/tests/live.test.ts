import { waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import type { FeedEvent, Message } from '@/api/types'
import App from '@/App.vue'
import { putMessages } from '@/live/conversation'
import { changeConversation } from '@/live/reducer'
import { useConversations } from '@/state/conversations'
import { useInbox } from '@/state/inbox'
import { useThreads } from '@/state/threads'

import { aPage, aServer, json } from './page'
import { aDelivery, aFullThread, aMessage, anEvent, aThread } from './samples'

/** The browser's socket, held in the hand. */
class Wire {
  static opened: Wire[] = []
  private readonly listeners: Record<string, ((event: { data: unknown }) => void)[]> = {}

  constructor(readonly url: string) {
    Wire.opened.push(this)
  }

  static get last(): Wire {
    return Wire.opened.at(-1) as Wire
  }

  addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
    this.listeners[type] = [...(this.listeners[type] ?? []), listener]
  }

  close(): void { /* nobody listens at the other end */ }

  say(frame: object): void {
    for (const listener of this.listeners['message'] ?? []) listener({ data: JSON.stringify(frame) })
  }

  events(...events: FeedEvent[]): void {
    this.say({ type: 'events', cursor: events.at(-1)?.seq, events })
  }
}

beforeEach(() => {
  Wire.opened = []
  vi.stubGlobal('WebSocket', Wire)
})

const TICKET = { 'POST /stream/tickets': () => json({ ticket: 'once', expires_at: '2026-11-21T10:00:00.000Z' }, 201) }
const page = (items: unknown[], stream_cursor = 10) => json({ items, next_cursor: null, stream_cursor })
const received = (seq: number, position: number) => anEvent(seq, 'message_received', {
  message: aMessage({ id: `m${position}`, position }), thread: aThread({ unread: position, last_position: position }),
})

async function theFrame(answers: Parameters<typeof aServer>[0] = {}) {
  const server = aServer({ ...TICKET, 'GET /threads': () => page([aThread()]), 'GET /accounts': () => json({ items: [], next_cursor: null }), ...answers })
  const shown = await aPage(App)
  await waitFor(() => { expect(Wire.opened).toHaveLength(1) })
  return { ...server, ...shown }
}

describe('the inbox', () => {
  it('begins to listen where its first page ends', async () => {
    await theFrame()
    expect(Wire.last.url).toContain('cursor=10&ticket=once')
  })

  it('shows what arrives without asking for it', async () => {
    await theFrame()
    Wire.last.events(received(11, 2))
    expect(useThreads().rows[0]?.unread).toBe(2)
    expect(useInbox().unreadThreads).toBe(1)
  })

  it('brings a page up to date that was asked for before an event came', async () => {
    const asked: ((response: Response) => void)[] = []
    await theFrame({
      'GET /threads/t1': () => json(aFullThread()),
      'GET /threads/t1/notes': () => json({ items: [], next_cursor: null }),
      'GET /threads/t1/messages': () => new Promise((resolve) => { asked.push(resolve) }),
    })
    const opened = useConversations().open('t1')
    await waitFor(() => { expect(asked).toHaveLength(1) })
    Wire.last.events(received(11, 2))
    asked[0]?.(json({ items: [aMessage()], next_cursor: null }))
    await opened
    expect(useInbox().state.conversations.get('t1')?.messages.map(({ id }) => id)).toEqual(['m1', 'm2'])
  })

  it('keeps what the feed told while a request was under way, though its answer is older', async () => {
    await theFrame()
    const inbox = useInbox()
    let answer: (message: Message) => void = () => undefined
    inbox.change((old) => ({ ...old, conversations: new Map([['t1', { messages: [aMessage()], notes: [], earlier: null }]]) }))
    const taken = inbox.take(new Promise<Message>((resolve) => { answer = resolve }), (old, message) =>
      changeConversation(old, 't1', (conversation) => putMessages(conversation, [message])))
    Wire.last.events(anEvent(11, 'delivery_changed', {
      message_id: 'm1', thread_id: 't1', delivery: aDelivery({ state: 'sent' }), delivery_state: 'sent', retryable: false,
    }))
    answer(aMessage({ delivery_state: 'queued' }))
    await taken
    expect(inbox.state.conversations.get('t1')?.messages[0]?.delivery_state).toBe('sent')
  })

  it('fetches everything anew when the log no longer reaches back', async () => {
    let pages = 0
    await theFrame({ 'GET /threads': () => (++pages < 3 ? page([aThread()]) : page([aThread({ id: 't2' })], 700)) })
    await waitFor(() => { expect(pages).toBe(2) })
    Wire.last.say({ type: 'reset' })
    await waitFor(() => { expect(Wire.opened).toHaveLength(2) })
    expect(Wire.last.url).toContain('cursor=700')
    expect(useThreads().rows.map(({ id }) => id)).toEqual(['t2'])
    expect(useInbox().state.cursor).toBe(700)
  })

  it('hangs up when it is left', async () => {
    const { unmount } = await theFrame()
    const close = vi.spyOn(Wire.last, 'close')
    unmount()
    expect(close).toHaveBeenCalledOnce()
  })
})
