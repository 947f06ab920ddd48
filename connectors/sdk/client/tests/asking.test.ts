import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  ApiError, Asking, mistakesIn, newFormIn, type Form, type Place, type Session, type TrunklineClient,
} from '../src/index.ts'
import { Server, Socket, connected, makeClient, refusal, settle } from './fake.ts'

const FORM: Form = { mode: 'ticket', setting_dimension: 'channel', fields: [], notice: null, version: 'v1' }
const SESSION: Session = {
  id: 'ss_1', thread_id: 'th_1', state: 'queued', group: null, agent: null, queue: { position: 3, ahead: 2, wait_estimate_s: null },
  started_at: '2026-05-01T10:00:00.000Z', ended_at: null, end_reason: null, rev: 1,
}
const SENT = { submission: { id: 'sb_1', reference: 'S-1', mode: 'ticket', state: 'ticketed' }, thread_id: 'th_1', message: null, replayed: false }

let server: Server
let client: TrunklineClient
let asking: Asking

beforeEach(() => {
  vi.useFakeTimers()
  Socket.made = []
  server = new Server()
  client = makeClient(server)
  asking = new Asking(client)
})

afterEach(() => {
  client.stop()
  vi.useRealTimers()
})

/** Return what a call is refused with. */
const refused = (work: Promise<unknown>): Promise<unknown> => work.then(() => null, (error: unknown) => error)

test('the form is asked for with the group, and sent with its version and the caller\u2019s id', async () => {
  server.handlers['GET /submissions/form'] = () => ({ body: FORM })
  server.handlers['POST /submissions'] = () => ({ status: 201, body: SENT })
  const form = await asking.form('repairs & more')
  expect(server.of('GET /submissions/form')[0]?.query.get('group_id')).toBe('repairs & more')
  const sent = await asking.submit(form, { message: 'Hello' }, { clientId: 'id-1' })
  expect(sent.submission.reference).toBe('S-1')
  expect(server.of('POST /submissions')[0]?.body).toEqual({ client_id: 'id-1', form_version: 'v1', values: { message: 'Hello' } })
})

test('what is wrong with the answers, and the form that took the place of this one, come with the refusal', async () => {
  const errors = [{ field: 'email', code: 'required', message: 'x' }]
  server.handlers['POST /submissions'] = () => ({ status: 422, body: { error: { code: 'field_errors' }, errors } })
  const wrong = await refused(asking.submit(FORM, {}, { clientId: 'id-1' }))
  expect([mistakesIn(wrong), newFormIn(wrong)]).toEqual([{ email: 'required' }, null])
  server.handlers['POST /submissions'] = () => ({ status: 409, body: { error: { code: 'form_outdated' }, form: { ...FORM, version: 'v2' } } })
  const old = await refused(asking.submit(FORM, {}, { clientId: 'id-1' }))
  expect([mistakesIn(old), newFormIn(old)?.version]).toEqual([{}, 'v2'])
  expect([mistakesIn(new Error('x')), newFormIn(null)]).toEqual([{}, null])
})

test('one\u2019s own forms are a list', async () => {
  server.handlers['GET /submissions'] = () => ({ body: { submissions: [SENT.submission] } })
  expect((await asking.submissions()).map((one) => one.reference)).toEqual(['S-1'])
})

test('asking for a person gives a session, the form, or the session that there is', async () => {
  server.handlers['POST /threads/live/human'] = () => ({ status: 202, body: SESSION })
  expect(await asking.human({ group_id: 'gp_1' })).toEqual(SESSION)
  expect(server.of('POST /threads/live/human')[0]?.body).toEqual({ group_id: 'gp_1' })
  server.handlers['POST /threads/live/human'] = () => ({ body: { outcome: 'offline_form', form: FORM } })
  expect(await asking.human()).toEqual({ outcome: 'offline_form', form: FORM })
  server.handlers['POST /threads/live/human'] = () => ({ status: 409, body: { error: { code: 'already_requested' }, session: SESSION } })
  expect(await asking.human()).toEqual(SESSION)
  server.handlers['POST /threads/live/human'] = () => refusal(422, 'unknown_group')
  expect(await refused(asking.human())).toMatchObject({ code: 'unknown_group' })
})

test('where there is nothing to leave or to end, that is no error', async () => {
  const ended = { ...SESSION, state: 'ended' }
  server.handlers['DELETE /threads/live/queue'] = () => ({ body: ended })
  server.handlers['POST /threads/live/end'] = () => ({ body: ended })
  expect([await asking.leaveQueue(), await asking.endSession()]).toEqual([ended, ended])
  server.handlers['DELETE /threads/live/queue'] = () => refusal(409, 'not_queued')
  server.handlers['POST /threads/live/end'] = () => refusal(409, 'no_session')
  expect([await asking.leaveQueue(), await asking.endSession()]).toEqual([null, null])
  server.handlers['POST /threads/live/end'] = () => refusal(503, 'unavailable')
  expect(await refused(asking.endSession())).toBeInstanceOf(ApiError)
})

test('what becomes of a session is told, and every new place', async () => {
  const sessions: Session[] = []
  const places: Place[] = []
  client.on('session', (one) => sessions.push(one))
  client.on('queue', (one) => places.push(one))
  const socket = await connected(client)
  const change = { t: 'change', type: 'session.changed', at: SESSION.started_at, data: { ...SESSION, rev: 2 } }
  await socket.tell({ ...change, seq: 1, cursor: 'c1' })
  await socket.tell({ ...change, seq: 2, cursor: 'c2', data: SESSION })
  await socket.tell({ t: 'queue', position: 2, ahead: 1, wait_estimate_s: 60 })
  await settle()
  // The second was older than the first.
  expect(sessions.map((one) => one.rev)).toEqual([2])
  expect(places).toEqual([{ position: 2, ahead: 1, wait_estimate_s: 60 }])
})
