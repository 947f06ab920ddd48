import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { durationOf } from '../src/app/asking'
import { finish, request, resume, standing, take, told } from '../src/app/person/session'
import { refusal } from './fake'
import { paths, session, someone } from './someone'

beforeEach(() => {
  localStorage.clear()
  sessionStorage.clear()
})

afterEach(() => vi.unstubAllGlobals())

test('a lower revision is old news, and a session that is over and was never shown is nobody\u2019s', () => {
  const active = session({ state: 'active', rev: 5 })
  expect(told(active, session({ rev: 4 }))).toBe(active)
  expect(told(active, session({ id: 'ss_0', state: 'ended' }))).toBe(active)
  expect(told(null, session({ state: 'ended' }))).toBeNull()
  expect(told(active, session({ state: 'bot', rev: 6 }))).toBeNull()
  expect(told(active, null)).toBeNull()
})

test('a place is told only to whoever waits', () => {
  const place = { state: 'queued', queue: { position: 1, ahead: 0 } }
  expect(told(session(), place)).toMatchObject({ id: 'ss_1', state: 'queued', queue: { position: 1 } })
  const active = session({ state: 'active' })
  expect(told(active, place)).toBe(active)
  expect(told(null, place)).toBeNull()
})

test('who helped is still known when it is over', () => {
  const over = told(session({ state: 'active', agent: { name: 'Ada' } }), session({ state: 'ended', agent: null, rev: 2 }))
  expect(over?.agent?.name).toBe('Ada')
})

test('how it stands is said in words', async () => {
  const { chat } = await someone()
  const say = (more: object): string => standing(chat, session(more))
  expect(say({})).toBe('You are number 3 in line. Ahead of you: 2. About 3 minutes.')
  expect(say({ queue: { position: 1, ahead: 0 } })).toBe('You are number 1 in line. You are next.')
  expect(say({ queue: null })).toBe('You are in line.')
  expect(say({ state: 'active', agent: { name: 'Ada' } })).toBe('Ada is helping you.')
  expect(say({ state: 'ended', end_reason: 'abandoned' })).toBe('You have left the line.')
  expect(say({ state: 'ended', end_reason: 'queue_timeout' })).toBe('Nobody could help you just now.')
  expect(say({ state: 'ended', end_reason: 'agent_end' })).toBe('The talk has ended.')
  expect(say({ state: 'ended', agent: { name: 'Ada' } })).toBe('The talk with Ada has ended.')
})

test.each([[1, '1 second'], [40, '40 seconds'], [61, '2 minutes'], [720, '12 minutes'], [3600, '1 hour']])('%i seconds are %s', (seconds, words) =>
  expect(durationOf(seconds, 'en')).toBe(words))

test('a new place is said and told to the page, the same place is not said again', async () => {
  const { chat, told: heard } = await someone()
  chat.parts.fresh.push(session())
  take(chat)
  expect(chat.said).toContain('number 3')
  chat.said = ''
  chat.parts.fresh.push({ state: 'queued', queue: { position: 3, ahead: 2, wait_estimate_s: 180 } })
  take(chat)
  expect(chat.said).toBe('')
  chat.parts.fresh.push({ state: 'queued', queue: { position: 2, ahead: 1 } })
  take(chat)
  expect(chat.said).toContain('number 2')
  const places = heard.filter((one) => (one as { name?: string }).name === 'queue')
  expect(places).toHaveLength(2)
})

test('asking: a session, and the group that the page chose', async () => {
  const { chat, asked } = await someone({ 'POST threads/live/human': () => ({ status: 202, body: session() }) })
  chat.parts.group = 'gp_1'
  await request(chat, undefined)
  expect(chat.parts.session?.state).toBe('queued')
  expect(asked.find((one) => one.path === 'threads/live/human')?.body).toEqual({ group_id: 'gp_1' })
})

test('whoever has asked already is shown what there is', async () => {
  const { chat } = await someone({
    'POST threads/live/human': () => ({ status: 409, body: { error: { code: 'already_requested' }, session: session({ state: 'active' }) } }),
  })
  await request(chat, undefined)
  expect(chat.parts.session?.state).toBe('active')
})

test('an application that says only that is believed', async () => {
  const { chat } = await someone({ 'POST threads/live/human': () => refusal(409, 'already_requested') })
  await request(chat, undefined)
  expect(standing(chat, chat.parts.session ?? session())).toBe('You have asked for a person.')
  chat.parts.fresh.push(session({ state: 'active', rev: 3 }))
  take(chat)
  expect(chat.parts.session).toMatchObject({ id: 'ss_1', state: 'active' })
})

test('other refusals are the caller\u2019s', async () => {
  const { chat } = await someone({ 'POST threads/live/human': () => refusal(422, 'unknown_group') })
  await expect(request(chat, undefined)).rejects.toMatchObject({ code: 'unknown_group' })
})

test('leaving the line and ending a talk are two calls', async () => {
  const { chat, asked } = await someone({
    'DELETE threads/live/queue': () => ({ body: session({ state: 'ended', end_reason: 'abandoned', rev: 2 }) }),
    'POST threads/live/end': () => ({ body: session({ id: 'ss_2', state: 'ended', end_reason: 'customer_end', rev: 2 }) }),
  })
  chat.parts.session = session()
  await finish(chat)
  expect(chat.parts.session).toMatchObject({ state: 'ended', end_reason: 'abandoned' })
  chat.parts.session = session({ id: 'ss_2', state: 'active' })
  await finish(chat)
  expect(chat.parts.session).toMatchObject({ id: 'ss_2', state: 'ended' })
  expect([paths(asked, 'DELETE').length, paths(asked, 'POST').filter((path) => path.endsWith('end')).length]).toEqual([1, 1])
})

test.each(['not_queued', 'no_session'])('%s is no error: what there is, is asked for', async (code) => {
  const { chat } = await someone({
    'DELETE threads/live/queue': () => refusal(409, code),
    'GET threads/live/session': () => ({ body: { session: session({ state: 'active', agent: { name: 'Ada' }, rev: 4 }) } }),
  })
  chat.parts.fresh.push(session())
  take(chat)
  await finish(chat)
  expect(chat.parts.session?.state).toBe('active')
})

test('where nothing more is known the strip goes', async () => {
  const { chat } = await someone({
    'DELETE threads/live/queue': () => refusal(409, 'not_queued'),
    'GET threads/live/session': () => refusal(404, 'not_found'),
    'GET changes': () => ({ body: { changes: [], cursor: 'c1', more: false, reset: false } }),
  })
  chat.parts.fresh.push(session())
  take(chat)
  await finish(chat)
  expect(chat.parts.session).toBeNull()
})

const kept = (): void => localStorage.setItem('trunkline.session.wk_test', JSON.stringify({ session: session(), cursor: 'c9' }))

test('after a reload it goes on with what the application says', async () => {
  kept()
  const { chat, asked } = await someone({ 'GET threads/live/session': () => ({ body: { session: session({ state: 'active', rev: 7 }) } }) })
  await resume(chat)
  expect(chat.parts.session).toMatchObject({ state: 'active', rev: 7 })
  expect(paths(asked, 'GET')).not.toContain('changes')
})

test('or with the changes since what was kept', async () => {
  kept()
  const changes = [{ seq: 3, type: 'session.changed', data: session({ state: 'ended', end_reason: 'queue_timeout', rev: 3 }) }, { seq: 4, type: 'read.changed', data: {} }]
  const { chat } = await someone({
    'GET threads/live/session': () => refusal(404, 'not_found'),
    'GET changes': () => ({ body: { changes, cursor: 'c10', more: false, reset: false } }),
  })
  await resume(chat)
  expect(chat.parts.session).toMatchObject({ state: 'ended', end_reason: 'queue_timeout' })
  expect(chat.parts.kept.get()).toBeNull()
})

test.each([['it is another visitor\u2019s', 'th_2', 200], ['its cursor is over', 'th_1', 410]])('nothing is shown where %s', async (_why, thread_id, status) => {
  localStorage.setItem('trunkline.session.wk_test', JSON.stringify({ session: session({ thread_id }), cursor: 'c9' }))
  const { chat } = await someone({
    'GET threads/live/session': () => refusal(404, 'not_found'),
    'GET changes': () => (status === 410 ? refusal(410, 'cursor_expired') : { body: { changes: [], cursor: 'c', more: false } }),
  })
  await resume(chat)
  expect(chat.parts.session).toBeNull()
  expect(chat.parts.kept.get()).toBeNull()
})
