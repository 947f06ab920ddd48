import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MemoryStore, type Waiting } from '../src/index.ts'
import { Server, Socket, connected, created, makeClient, message, pass, refusal, settle, ME } from './fake.ts'

let server: Server
let store: MemoryStore

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  Socket.made = []
  server = new Server()
  store = new MemoryStore()
})

afterEach(() => void vi.useRealTimers())

const SEND = 'POST /threads/live/messages'
const kept = (): Waiting[] => JSON.parse(store.kept.get('outbox') ?? '[]') as Waiting[]
const lost = (): Error => new TypeError('no network')

test('what is said is kept before it is sent for the first time', async () => {
  const client = makeClient(server, { store })
  await connected(client)
  let keptAtFirst: Waiting[] = []
  const usual = server.handlers[SEND]
  server.handlers[SEND] = (asked) => {
    keptAtFirst = kept()
    return usual?.(asked) ?? {}
  }
  const item = await client.send('Hello')
  await settle()
  expect(keptAtFirst.map((one) => [one.client_id, one.state])).toEqual([[item.client_id, 'pending']])
  expect(kept()).toEqual([])
  expect(client.state.of('th_1').map((one) => one.text)).toEqual(['Hello'])
})

test('after a lost answer the same id is sent again until there is one', async () => {
  const client = makeClient(server, { store })
  await connected(client)
  const usual = server.handlers[SEND]
  server.handlers[SEND] = lost
  await client.send('Hello')
  await settle()
  await pass(1)
  server.handlers[SEND] = usual as never
  await pass(2)
  const ids = server.of(SEND).map((one) => one.body['client_id'])
  expect(ids.length).toBeGreaterThanOrEqual(3)
  expect(new Set(ids).size).toBe(1)
  expect(client.outbox.items).toEqual([])
})

test('what waited before a restart is sent after it, with the same ids and in order', async () => {
  server.handlers[SEND] = lost
  const first = makeClient(server, { store })
  await connected(first)
  for (const text of ['One', 'Two', 'Three']) await first.send(text)
  await settle()
  first.stop()
  const ids = kept().map((one) => one.client_id)
  expect(ids).toHaveLength(3)
  const next = new Server()
  await connected(makeClient(next, { store }))
  await settle()
  expect(next.of(SEND).map((one) => [one.body['client_id'], one.body['text']])).toEqual(
    ids.map((id, at) => [id, ['One', 'Two', 'Three'][at]]),
  )
  expect(kept()).toEqual([])
})

test('what is said before the start waits behind what was kept', async () => {
  server.handlers[SEND] = lost
  const first = makeClient(server, { store })
  await connected(first)
  await first.send('One')
  first.stop()
  const client = makeClient(server, { store })
  await client.send('Two')
  expect(kept().map((one) => one.text)).toEqual(['One', 'Two'])
})

test('one request is under way per thread', async () => {
  const client = makeClient(server)
  await connected(client)
  const open: (() => void)[] = []
  let most = 0
  const usual = server.handlers[SEND]
  server.handlers[SEND] = async (asked) => {
    most = Math.max(most, open.length + 1)
    await new Promise<void>((done) => open.push(done))
    open.pop()
    return (await usual?.(asked)) ?? {}
  }
  for (const text of ['One', 'Two', 'Three']) await client.send(text)
  for (let turn = 0; turn < 3; turn++) {
    await settle()
    open.at(-1)?.()
  }
  await settle()
  expect(most).toBe(1)
  expect(server.of(SEND).map((one) => one.body['text'])).toEqual(['One', 'Two', 'Three'])
})

test.each([
  [409, 'client_id_conflict'], [422, 'text_too_long'], [413, 'too_large'], [403, 'blocked'], [404, 'not_found'],
])('a refusal that stays (%i %s) ends it, and what comes after goes on', async (status, code) => {
  const client = makeClient(server)
  await connected(client)
  const usual = server.handlers[SEND]
  server.handlers[SEND] = (asked) => (asked.body['text'] === 'Bad' ? refusal(status, code) : usual?.(asked)) ?? {}
  await client.send('Bad')
  await client.send('Good')
  await settle()
  expect(client.outbox.items.map((one) => [one.text, one.state, one.problem])).toEqual([['Bad', 'failed', code]])
  await pass(60)
  expect(server.of(SEND)).toHaveLength(2)
})

test.each([408, 425, 500, 502, 503])('a refusal that passes (%i) is tried again', async (status) => {
  const client = makeClient(server)
  await connected(client)
  const usual = server.handlers[SEND]
  server.handlers[SEND] = () => refusal(status, 'server_error')
  const item = await client.send('Hello')
  await settle()
  expect(client.outbox.items.map((one) => one.state)).toEqual(['pending'])
  server.handlers[SEND] = usual as never
  await pass(1)
  expect(server.of(SEND).map((one) => one.body['client_id'])).toEqual([item.client_id, item.client_id])
})

test('a server that says when is not asked before', async () => {
  const client = makeClient(server)
  await connected(client)
  server.handlers[SEND] = () => refusal(429, 'rate_limited', { retry_after: 20 })
  await client.send('Hello')
  await settle()
  await pass(19.9)
  expect(server.of(SEND)).toHaveLength(1)
  await pass(1)
  expect(server.of(SEND)).toHaveLength(2)
})

test('one that failed can be tried again with its id, or discarded', async () => {
  const client = makeClient(server, { store })
  await connected(client)
  const usual = server.handlers[SEND]
  server.handlers[SEND] = () => refusal(422, 'unsupported_kind')
  const one = await client.send('One')
  const other = await client.send('Other')
  await settle()
  server.handlers[SEND] = usual as never
  await client.outbox.again(one.client_id)
  await client.outbox.drop(other.client_id)
  await settle()
  expect(server.of(SEND).at(-1)?.body['client_id']).toBe(one.client_id)
  expect(kept()).toEqual([])
})

test('a message that comes back before its answer is not sent again', async () => {
  const client = makeClient(server, { store })
  const socket = await connected(client)
  server.handlers[SEND] = lost
  const item = await client.send('Hello')
  await settle()
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1, { client_id: item.client_id, author: ME })) })
  expect(client.outbox.items).toEqual([])
  const sent = server.of(SEND).length
  await pass(60)
  expect(server.of(SEND)).toHaveLength(sent)
  expect(client.state.of('th_1')).toHaveLength(1)
})

test('a file is uploaded once and then sent, also when the sending is tried again', async () => {
  const client = makeClient(server, { store })
  await connected(client)
  server.handlers['POST /uploads'] = () => ({ status: 201, body: { upload_id: 'up_1', kind: 'image' } })
  const usual = server.handlers[SEND]
  server.handlers[SEND] = lost
  await client.sendFile(new Blob(['x'], { type: 'image/png' }), { name: 'x.png', text: 'Look' })
  await settle()
  server.handlers[SEND] = usual as never
  await pass(1)
  expect(server.count('POST /uploads')).toBe(1)
  expect(server.of(SEND).at(-1)?.body).toMatchObject({ kind: 'image', attachments: [{ upload_id: 'up_1' }], text: 'Look' })
  expect(kept()).toEqual([])
})

test('a file that is gone after a restart fails instead of blocking what comes after', async () => {
  server.handlers['POST /uploads'] = lost
  const first = makeClient(server, { store })
  await connected(first)
  await first.sendFile(new Blob(['x']), { name: 'x.bin' })
  await first.send('After it')
  await settle()
  first.stop()
  const client = makeClient(server, { store })
  await connected(client)
  await settle()
  expect(client.outbox.items.map((one) => one.problem)).toEqual(['file_gone'])
  expect(server.of(SEND).map((one) => one.body['text'])).toEqual(['After it'])
})

test('a button that another device pressed is no failure', async () => {
  const client = makeClient(server)
  await connected(client)
  server.handlers['POST /threads/live/postback'] = () => refusal(409, 'card_answered')
  await client.press(message(1), 'b0.0')
  await settle()
  expect(server.of('POST /threads/live/postback')[0]?.body).toMatchObject({ message_id: 'ms_1', action_id: 'b0.0' })
  expect(client.outbox.items).toEqual([])
})

test('a store that fails is told, and what was said is not lost from the screen', async () => {
  const client = makeClient(server, { store })
  await connected(client)
  vi.spyOn(store, 'write').mockRejectedValueOnce(new Error('disk full'))
  await expect(client.send('Hello')).rejects.toThrow('disk full')
  expect(client.outbox.items.map((one) => one.text)).toEqual(['Hello'])
})
