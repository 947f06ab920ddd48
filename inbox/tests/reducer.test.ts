import { describe, expect, it } from 'vitest'

import type { FeedEvent, ThreadSummary } from '@/api/types'
import { applyEvents, applyFrame } from '@/live/reducer'
import { emptyState, type InboxState } from '@/live/state'

import { aDelivery, aMessage, aNote, anEvent, aThread } from './samples'

function stateWith(threads: ThreadSummary[], change: Partial<InboxState> = {}): InboxState {
  return {
    ...emptyState('ada'),
    threads: new Map(threads.map((thread) => [thread.id, thread])),
    conversations: new Map([['t1', { messages: [aMessage()], notes: [], earlier: null }]]),
    list: { filter: { view: 'all', state: 'open', account: null, channel: null }, ids: threads.map(({ id }) => id), next: null, loaded: true },
    ...change,
  }
}

const frame = (cursor: number, ...events: FeedEvent[]) => ({ type: 'events' as const, cursor, events })
const messagesOf = (state: InboxState) => state.conversations.get('t1')?.messages ?? []

describe('a frame', () => {
  it('moves the cursor on', () => {
    expect(applyFrame(stateWith([]), frame(7, anEvent(5, 'closed', {}))).cursor).toBe(7)
  })

  it('that was applied already changes nothing', () => {
    const one = frame(5, anEvent(5, 'read', { thread_id: 't1', unread: 3, position: 1 }))
    const once = applyFrame(stateWith([aThread()]), one)
    const changed = { ...once, threads: new Map([['t1', aThread({ unread: 0 })]]) }
    expect(applyFrame(changed, one)).toEqual(changed)
  })

  it('is applied in the order of the log whatever the order in the frame', () => {
    const read = (seq: number, unread: number) => anEvent(seq, 'read', { thread_id: 't1', unread, position: 1 })
    const state = applyFrame(stateWith([aThread()]), frame(3, read(3, 0), read(2, 9)))
    expect(state.threads.get('t1')?.unread).toBe(0)
  })

  it('with a kind from a newer server is passed over', () => {
    const before = stateWith([aThread()])
    expect(applyFrame(before, frame(2, anEvent(2, 'sung', { song: 1 })))).toEqual({ ...before, cursor: 2 })
  })
})

describe('a message', () => {
  it('arrives in its thread and lifts it to the top of the list', () => {
    const old = aThread({ id: 't0', last_message_at: '2026-11-21T11:00:00.000Z' })
    const message = aMessage({ id: 'm2', position: 2 })
    const thread = aThread({ last_message_at: '2026-11-21T12:00:00.000Z', unread: 1, last_position: 2 })
    const state = applyFrame(stateWith([old, aThread()]), frame(2, anEvent(2, 'message_received', { message, thread })))
    expect(messagesOf(state).map(({ id }) => id)).toEqual(['m1', 'm2'])
    expect(state.list.ids).toEqual(['t1', 't0'])
  })

  it('that comes twice stands there once', () => {
    const received = { message: aMessage({ id: 'm2', position: 2 }), thread: aThread() }
    const state = applyEvents(stateWith([aThread()]), [anEvent(2, 'message_received', received), anEvent(3, 'reply_sent', received)])
    expect(messagesOf(state)).toHaveLength(2)
  })

  it('that comes late stands at its position', () => {
    const received = (id: string, position: number) => ({ message: aMessage({ id, position }), thread: aThread() })
    const state = applyEvents(stateWith([aThread()]), [
      anEvent(2, 'message_received', received('m3', 3)), anEvent(3, 'message_received', received('m2', 2)),
    ])
    expect(messagesOf(state).map(({ id }) => id)).toEqual(['m1', 'm2', 'm3'])
  })

  it('that is recalled is not shown in the list either', () => {
    const message = aMessage({ recalled_at: '2026-11-21T10:01:00.000Z' })
    const state = applyFrame(stateWith([aThread()]), frame(2, anEvent(2, 'message_recalled', { message })))
    expect(messagesOf(state)[0]?.recalled_at).not.toBeNull()
    expect(state.threads.get('t1')?.preview).toEqual({ author: 'contact', type: 'recalled', text: null })
  })

  it('that is edited keeps its earlier text at hand', () => {
    const message = aMessage({ content: { type: 'text', text: 'Bye' }, previous: [{ type: 'text', text: 'Hello' }] })
    const state = applyFrame(stateWith([aThread()]), frame(2, anEvent(2, 'message_edited', { message })))
    expect(messagesOf(state)[0]?.previous).toEqual([{ type: 'text', text: 'Hello' }])
    expect(state.threads.get('t1')?.preview?.text).toBe('Bye')
  })

  it('shows its delivery as it goes on', () => {
    const sent = aMessage({ direction: 'out', deliveries: [aDelivery({ state: 'queued' })], delivery_state: 'queued' })
    const state = stateWith([aThread()], { conversations: new Map([['t1', { messages: [sent], notes: [], earlier: null }]]) })
    const change = { message_id: 'm1', thread_id: 't1', delivery: aDelivery({ state: 'failed' }), delivery_state: 'failed', retryable: true }
    const [message] = messagesOf(applyFrame(state, frame(2, anEvent(2, 'delivery_failed', change))))
    expect(message).toMatchObject({ delivery_state: 'failed', retryable: true })
    expect(message?.deliveries.map(({ state: one }) => one)).toEqual(['failed'])
  })

  it('gets its file when the desk has it', () => {
    const media = { id: 'f1', state: 'pending' as const, mime: null, size: null, name: null, width: null, height: null, duration_ms: null, reason: null }
    const pending = aMessage({ content: { type: 'image', media } })
    const state = stateWith([aThread()], { conversations: new Map([['t1', { messages: [pending], notes: [], earlier: null }]]) })
    const next = applyFrame(state, frame(2, anEvent(2, 'media_changed', { message_id: 'm1', media: { ...media, state: 'stored' } })))
    expect(messagesOf(next)[0]?.content).toMatchObject({ media: { state: 'stored' } })
  })
})

describe('the list', () => {
  it('loses a thread that is closed while open ones are shown', () => {
    expect(applyFrame(stateWith([aThread()]), frame(2, anEvent(2, 'closed', {}))).list.ids).toEqual([])
  })

  it('of mine gets a thread that is assigned to me', () => {
    const mine = { filter: { view: 'mine' as const, state: 'open' as const, account: null, channel: null }, ids: [], next: null, loaded: true }
    const assigned = anEvent(2, 'assigned', { assignee: { id: 'ada', name: 'Ada' }, previous: null })
    const state = applyFrame(stateWith([aThread()], { list: mine }), frame(2, assigned))
    expect(state.list.ids).toEqual(['t1'])
    expect(state.threads.get('t1')?.state).toBe('in_service')
  })

  it('asks for a thread that was assigned and never loaded', () => {
    const assigned = anEvent(2, 'assigned', { assignee: { id: 'ada', name: 'Ada' }, previous: null }, 't9')
    expect([...applyFrame(stateWith([]), frame(2, assigned)).wanted]).toEqual(['t9'])
  })

  it('leaves out what lies below its last loaded row', () => {
    const list = { filter: { view: 'all' as const, state: 'open' as const, account: null, channel: null }, ids: ['t1'], next: 'more', loaded: true }
    const old = aThread({ id: 't0', last_message_at: '2020-01-01T00:00:00.000Z' })
    const state = applyFrame(stateWith([aThread()], { list }), frame(2, anEvent(2, 'created', { thread: old })))
    expect(state.list.ids).toEqual(['t1'])
  })

  it('shows the new name of a contact everywhere', () => {
    const changed = anEvent(2, 'contact_changed', { contact: { id: 'c1', name: 'Kim Li', avatar: null } }, null)
    const state = applyFrame(stateWith([aThread(), aThread({ id: 't2' })]), frame(2, changed))
    expect([...state.threads.values()].map(({ contact }) => contact.name)).toEqual(['Kim Li', 'Kim Li'])
  })
})

it('a note appears once and goes when it is deleted', () => {
  const note = aNote()
  const written = applyEvents(stateWith([aThread()]), [anEvent(2, 'note_created', { note }), anEvent(3, 'note_created', { note })])
  expect(written.conversations.get('t1')?.notes).toEqual([note])
  expect(applyEvents(written, [anEvent(4, 'note_deleted', { note })]).conversations.get('t1')?.notes).toEqual([])
})

it('a state that was applied to is not changed in place', () => {
  const before = stateWith([aThread()])
  const copy = structuredClone(before)
  applyFrame(before, frame(2, anEvent(2, 'message_received', { message: aMessage({ id: 'm2' }), thread: aThread({ unread: 4 }) })))
  expect(before).toEqual(copy)
})
