import { expect, test } from 'vitest'
import { apply, line, nothing, put, unread } from '../src/app/model'
import { ADA, message } from './fake'

const change = (type: string, data: object) => ({ seq: 1, type, data: data as Record<string, unknown> })

test('messages stand in the order of their places, whatever order they came in', () => {
  const talk = nothing()
  put(talk, message(3), message(1), message(2))
  expect(talk.messages.map((one) => one.pos)).toEqual([1, 2, 3])
})

test('a change that is applied twice does nothing the second time', () => {
  const talk = nothing()
  expect(apply(talk, change('message.created', message(1)))).not.toBeNull()
  expect(apply(talk, change('message.created', message(1)))).toBeNull()
  expect(talk.messages).toHaveLength(1)
})

test('an older revision never wins', () => {
  const talk = nothing()
  put(talk, message(1, { rev: 3, text: 'new' }), message(1, { rev: 2, text: 'old' }))
  expect(talk.messages[0]?.text).toBe('new')
})

test('of a message that was taken back nothing is left', () => {
  const talk = nothing()
  put(talk, message(1, { text: 'my number' }))
  apply(talk, change('message.redacted', { ...message(1, { rev: 9, kind: 'redacted' }), text: undefined }))
  expect(JSON.stringify(talk.messages)).not.toContain('my number')
})

test('an edit of a message that was never loaded brings nothing', () => {
  const talk = nothing()
  expect(apply(talk, change('message.updated', message(1)))).toBeNull()
  expect(talk.messages).toEqual([])
})

test('only what the other side said after the read mark is unread', () => {
  const talk = nothing()
  put(talk, message(1, { author: ADA }), message(2), message(3, { author: ADA }), message(4, { author: ADA, kind: 'notice' }))
  apply(talk, change('read.changed', { thread_id: 'th_1', side: 'contact', pos: 1 }))
  expect(unread(line(talk, 'th_1'))).toBe(1)
  apply(talk, change('read.changed', { thread_id: 'th_1', side: 'contact', pos: 0 }))
  expect(line(talk, 'th_1').read).toBe(1)
})

test('what is unknown is left alone', () => {
  const talk = nothing()
  expect(apply(talk, change('session.changed', { id: 'ss_1' }))).toBeNull()
  expect(apply(talk, change('message.created', {}))).toBeNull()
})

test('threads stand as one, by time, each in its own order', () => {
  const talk = nothing()
  const at = (minute: number) => `2026-05-01T10:0${String(minute)}:00.000Z`
  put(talk, message(1, { created_at: at(1) }), message(2, { created_at: at(4) }))
  put(talk, message(7, { thread_id: 'th_2', created_at: at(0) }), message(8, { thread_id: 'th_2', created_at: at(3) }))
  expect(talk.messages.map((one) => one.pos)).toEqual([7, 1, 8, 2])
  const late = apply(talk, change('message.created', message(9, { thread_id: 'th_2', author: ADA, created_at: at(6) })))
  expect([late?.pos, talk.messages.at(-1)?.pos, talk.agent]).toEqual([9, 9, 'Ada'])
  expect([unread(line(talk, 'th_1')), unread(line(talk, 'th_2'))]).toEqual([0, 1])
})

test('before a gap in one thread nothing of the others is shown', () => {
  const talk = nothing()
  const at = (minute: number) => `2026-05-01T10:0${String(minute)}:00.000Z`
  line(talk, 'th_1').more = true
  put(talk, message(5, { created_at: at(5) }), message(6, { created_at: at(6) }))
  put(talk, message(8, { thread_id: 'th_2', created_at: at(3) }))
  expect(talk.messages.map((one) => one.pos)).toEqual([5, 6])
  line(talk, 'th_1').more = false
  put(talk, message(2, { created_at: at(2) }))
  expect(talk.messages.map((one) => one.pos)).toEqual([2, 8, 5, 6])
})
