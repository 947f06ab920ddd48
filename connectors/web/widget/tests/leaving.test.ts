import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Leaving } from '../src/app/form/leaving'
import { refusal, settle } from './fake'
import { paths, session, someone } from './someone'

const FIELDS = [
  { key: 'name', kind: 'text', label: 'Name', required: false, options: [], max_length: 40 },
  { key: 'message', kind: 'textarea', label: 'Message', required: true, options: [], max_length: 40 },
]
const FORM = { mode: 'offline_message', fields: FIELDS, notice: null, version: 'v1' }
const SENT = { submission: { id: 'sb_1', reference: 'S-1', mode: 'offline_message', state: 'unassigned', created_at: '2026-05-01T10:00:00Z' } }
const shown = { 'GET submissions/form': () => ({ body: FORM }) }

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(1)
  sessionStorage.clear()
  localStorage.clear()
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const bodies = (asked: { method: string; path: string; body: unknown }[]) =>
  asked.filter((one) => one.method === 'POST' && one.path === 'submissions').map((one) => one.body as Record<string, unknown>)

test('what is missing is said without asking the server', async () => {
  const { chat, asked } = await someone(shown)
  const leaving = new Leaving(chat)
  await leaving.open()
  await leaving.send()
  expect([leaving.stage, leaving.trouble, leaving.mistakes]).toEqual(['fill', 'mistakes', { message: { code: 'required' } }])
  expect(bodies(asked)).toEqual([])
  leaving.answer('message', 'Hello')
  expect(leaving.mistakes).toEqual({})
})

test('a form is sent with its version, and the page hears of it', async () => {
  const { chat, asked, told } = await someone({ ...shown, 'POST submissions': () => ({ status: 201, body: SENT }) })
  chat.parts.group = 'gp_1'
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', ' Hello ')
  await leaving.send()
  expect(leaving.stage).toBe('sent')
  expect(bodies(asked)).toEqual([{ client_id: expect.any(String), group_id: 'gp_1', form_version: 'v1', values: { message: 'Hello' } }])
  expect(told).toContainEqual({ t: 'event', name: 'offline-form-sent', detail: { reference: 'S-1', mode: 'offline_message' } })
  expect(chat.said).toContain('S-1')
})

test('without an answer it is tried again with the same id, later each time, and at once when the network is back', async () => {
  let tries = 0
  const { chat, asked } = await someone({
    ...shown, 'POST submissions': () => (++tries < 3 ? new Error('cut') : tries < 4 ? refusal(503, 'unavailable') : { status: 200, body: SENT }),
  })
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', 'Hello')
  await leaving.send()
  expect([leaving.stage, leaving.trouble]).toEqual(['sending', 'unsent'])
  await vi.advanceTimersByTimeAsync(1000)
  expect(tries).toBe(2)
  dispatchEvent(new Event('online'))
  await settle()
  expect(tries).toBe(3)
  await vi.advanceTimersByTimeAsync(4000)
  expect([leaving.stage, tries]).toEqual(['sent', 4])
  expect(new Set(bodies(asked).map((one) => one['client_id'])).size).toBe(1)
})

test('what a reload interrupts is sent afterwards with the same id', async () => {
  const first = await someone({ ...shown, 'POST submissions': () => new Error('cut') })
  const before = new Leaving(first.chat)
  await before.open()
  before.answer('message', 'Hello')
  await before.send()
  before.change()
  before.answer('message', 'Hello')
  await before.send()
  // The page is gone, and with it what would try again.
  vi.clearAllTimers()
  const second = await someone({ ...shown, 'POST submissions': () => ({ status: 200, body: SENT }) })
  const after = new Leaving(second.chat)
  await after.open()
  expect(after.stage).toBe('sent')
  expect(bodies(second.asked)).toEqual([bodies(first.asked)[0]])
})

test('what was written is kept over a reload', async () => {
  const before = new Leaving((await someone(shown)).chat)
  await before.open()
  before.answer('name', 'Mei')
  const after = new Leaving((await someone(shown)).chat)
  await after.open()
  expect([after.stage, after.answers]).toEqual(['fill', { name: 'Mei' }])
})

test('a form that has changed is drawn anew, and the answers stay', async () => {
  const fresh = { ...FORM, version: 'v2', fields: [...FIELDS, { ...FIELDS[0], key: 'order', required: true }] }
  const { chat } = await someone({
    ...shown, 'POST submissions': () => ({ status: 409, body: { error: { code: 'form_outdated' }, form: fresh } }),
  })
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', 'Hello')
  await leaving.send()
  expect([leaving.stage, leaving.trouble, leaving.form?.version, leaving.answers]).toEqual(['fill', 'outdated', 'v2', { message: 'Hello' }])
})

test('what the server says of an answer stands at the answer', async () => {
  const errors = [{ field: 'name', code: 'invalid', message: 'This has to be text.' }]
  const { chat } = await someone({ ...shown, 'POST submissions': () => ({ status: 422, body: { error: { code: 'field_errors' }, errors } }) })
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', 'Hello')
  await leaving.send()
  expect([leaving.mistakes, leaving.wrongs]).toEqual([{ name: { code: 'invalid' } }, 1])
})

test('an earlier version that arrived takes its id along', async () => {
  let tries = 0
  const { chat, asked } = await someone({
    ...shown, 'POST submissions': () => (++tries === 1 ? refusal(409, 'client_id_conflict') : { status: 201, body: SENT }),
  })
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', 'Hello')
  await leaving.send()
  expect(leaving.trouble).toBe('twice')
  await leaving.send()
  const [one, other] = bodies(asked)
  expect(one?.['client_id']).not.toBe(other?.['client_id'])
})

test('too many in an hour: it says how long to wait, and does not try by itself', async () => {
  const { chat, asked } = await someone({ ...shown, 'POST submissions': () => refusal(429, 'rate_limited', 720) })
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', 'Hello')
  await leaving.send()
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect([leaving.stage, leaving.trouble, leaving.wait, bodies(asked).length]).toEqual(['fill', 'tooOften', 720, 1])
})

test.each(['GET submissions/form', 'POST submissions'])('where forms were switched off %s says so, and none is offered any more', async (call) => {
  const { chat } = await someone({ ...shown, [call]: () => refusal(409, 'submission_disabled') })
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', 'Hello')
  await leaving.send()
  expect(leaving.stage).toBe('off')
  expect(chat.config?.features['submission']).toBe(false)
  leaving.close()
  expect(chat.parts.isForm).toBe(false)
  expect(chat.parts.draft.get()).toMatchObject({ open: false, answers: { message: 'Hello' } })
})

test('whoever left a message waits in no line any more', async () => {
  const { chat } = await someone({ ...shown, 'POST submissions': () => ({ status: 201, body: SENT }) })
  chat.parts.news(session())
  expect(await chat.parts.need()).toBe(true)
  expect(chat.parts.session?.state).toBe('queued')
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('message', 'Hello')
  await leaving.send()
  expect(chat.parts.session).toBeNull()
  expect(chat.parts.kept.get()).toBeNull()
})

test('a form that came along is shown without asking for another', async () => {
  const { chat, asked } = await someone(shown)
  const leaving = new Leaving(chat)
  await leaving.open(FORM)
  expect([leaving.stage, leaving.intro]).toEqual(['fill', 'nobodyFree'])
  expect(paths(asked, 'GET')).not.toContain('submissions/form')
})

test('a dead token is renewed once', async () => {
  let tries = 0
  const { chat } = await someone({ ...shown, 'GET submissions': () => (++tries === 1 ? refusal(401, 'token_expired') : { body: { submissions: [] } }) })
  vi.spyOn(chat, 'renew').mockResolvedValue(true)
  const leaving = new Leaving(chat)
  await leaving.list()
  expect(leaving.mine).toEqual([])
  expect(chat.renew).toHaveBeenCalledOnce()
})

test('after a sign-out nothing of it is left', async () => {
  const { chat } = await someone(shown)
  const leaving = new Leaving(chat)
  await leaving.open()
  leaving.answer('name', 'Mei')
  leaving.forget()
  chat.parts.clear()
  expect([chat.parts.isForm, leaving.answers, chat.parts.draft.get()]).toEqual([false, {}, null])
})
