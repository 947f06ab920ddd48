import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type MemoryStore, type TrunklineClient } from '../src/index.ts'
import { Server, Socket, begin, connected, created, end, given, makeClient, message, pass, refusal, settle, thread } from './fake.ts'

let server: Server
let store: MemoryStore
let client: TrunklineClient

beforeEach(() => {
  ({ server, store, client } = begin())
})

afterEach(() => {
  end(client)
})

const SEND = 'POST /threads/live/messages'
const texts = (): unknown[] => client.state.of('th_1').map((one) => one.text)
const cursor = (): unknown => JSON.parse(store.kept.get('cursor') ?? 'null')

test('nothing goes over the network before the start', async () => {
  await client.send('Hello')
  expect(server.asked).toEqual([])
  expect(Socket.made).toEqual([])
})

test('the first start gets a token, and says who it is in headers and in the hello', async () => {
  const socket = await connected(client)
  expect(server.of('POST /tokens')[0]?.headers).toMatchObject({
    'X-Inbox-Key': 'ak_test_0001', 'X-SDK-Platform': 'ios', 'X-SDK-Version': '3.0.3', 'X-Protocol': '1',
  })
  expect(socket.url).toBe('wss://desk.example.test/client/v1/ws')
  expect(socket.protocol).toBe('occ.v1')
  expect(socket.sent[0]).toMatchObject({ t: 'hello', token: 'vt_1', cursor: 'c0', platform: 'ios', version: '3.0.3', protocol: 1, visible: true })
})

test('the token never stands in an address', async () => {
  await connected(client)
  for (const one of server.asked) expect(`${one.path}?${one.query.toString()}`).not.toContain('vt_1')
  expect(Socket.newest.url).not.toContain('vt_1')
})

test('what was missed is read before anything is sent', async () => {
  await connected(client)
  client.stop()
  await client.send('An answer to an old state')
  server.tell('c5', created(5, message(5)))
  server.tell('c6', created(6, message(6)))
  server.asked.length = 0
  await client.start()
  await settle()
  const order = server.asked.map((one) => `${one.method} ${one.path}`)
  expect(order.indexOf(SEND)).toBeGreaterThan(order.lastIndexOf('GET /changes'))
  expect(texts().slice(0, 2)).toEqual(['Number 5', 'Number 6'])
  expect(Socket.made).toHaveLength(2)
})

test('changes and the cursor that says we have them are written at once', async () => {
  await connected(client)
  const writes = vi.spyOn(store, 'write')
  await Socket.newest.tell({ t: 'change', cursor: 'c7', ...created(7, message(7)) })
  const names = writes.mock.calls.map(([entries]) => Object.keys(entries).sort())
  expect(names).toContainEqual(['cursor', 'state'])
  expect(names.filter((one) => one.includes('cursor'))).toEqual([['cursor', 'state']])
  expect(cursor()).toBe('c7')
})

test('a restart goes on from the cursor, and shows what was there before anything is asked', async () => {
  await connected(client)
  await Socket.newest.tell({ t: 'change', cursor: 'c7', ...created(7, message(7)) })
  client.stop()
  client = makeClient(server, { store })
  const shown: number[] = []
  client.on('unread', (count) => shown.push(count))
  await client.start()
  await settle()
  expect(shown[0]).toBe(1)
  expect(texts()).toEqual(['Number 7'])
  expect(server.of('GET /changes').at(-1)?.query.get('cursor')).toBe('c7')
  expect(server.count('POST /tokens')).toBe(1)
})

test('old news and repeated news change nothing', async () => {
  const socket = await connected(client)
  const heard: unknown[] = []
  client.on('message', (one) => heard.push(one.text))
  client.on('updated', (one) => heard.push(one.text))
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  await socket.tell({ t: 'change', cursor: 'c3', ...created(3, message(1, { rev: 3, text: 'Edited twice' })), type: 'message.updated' })
  await socket.tell({ t: 'change', cursor: 'c2', ...created(2, message(1, { rev: 2, text: 'Edited once' })), type: 'message.updated' })
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  expect(heard).toEqual(['Number 1', 'Edited twice'])
  expect(client.state.unread).toBe(1)
})

test('what was applied is acknowledged, at most once a second', async () => {
  const socket = await connected(client)
  for (const seq of [1, 2, 3]) await socket.tell({ t: 'change', cursor: `c${String(seq)}`, ...created(seq, message(seq)) })
  expect(socket.said('ack')).toEqual([{ t: 'ack', cursor: 'c0' }])
  await pass(1)
  expect(socket.said('ack').at(-1)).toEqual({ t: 'ack', cursor: 'c3' })
  expect(socket.said('ack')).toHaveLength(2)
})

test('it asks for life every 25 s, and takes 35 s of silence for the end', async () => {
  const socket = await connected(client)
  await pass(25)
  expect(socket.said('ping')).toHaveLength(1)
  await socket.tell({ t: 'pong' })
  await pass(34)
  expect(Socket.made).toHaveLength(1)
  await pass(3)
  expect(Socket.made).toHaveLength(2)
})

test('a kick makes an open socket prove itself within five seconds', async () => {
  await connected(client)
  client.kick()
  await pass(4)
  expect(Socket.made).toHaveLength(1)
  await pass(2)
  expect(Socket.made).toHaveLength(2)
})

test('between tries it waits longer and longer, and a kick ends the wait', async () => {
  await connected(client)
  server.handlers['GET /changes'] = () => new TypeError('no network')
  await Socket.newest.fail()
  await pass(120)
  const asked = server.count('GET /changes')
  expect(asked).toBeLessThan(15)
  await pass(14)
  expect(server.count('GET /changes')).toBeLessThanOrEqual(asked + 1)
  const before = server.count('GET /changes')
  client.kick()
  await settle()
  expect(server.count('GET /changes')).toBe(before + 1)
})

test('a server that says when it comes back is listened to', async () => {
  const socket = await connected(client)
  await socket.tell({ t: 'bye', reason: 'draining', reconnect_after_s: 7 })
  await socket.fail(1012)
  await pass(6.9)
  expect(Socket.made).toHaveLength(1)
  await pass(1.1)
  expect(Socket.made).toHaveLength(2)
})

test('without sockets it polls, and what comes is the same', async () => {
  const seen: unknown[] = []
  vi.stubGlobal('WebSocket', undefined)
  client = makeClient(server, { store, WebSocket: undefined })
  vi.unstubAllGlobals()
  client.on('connection', (how) => seen.push(how))
  await client.start()
  await settle()
  expect(seen).toEqual(['poll'])
  server.tell('c1', created(1, message(1)))
  await pass(26)
  expect(texts()).toEqual(['Number 1'])
  expect(server.of('GET /changes').at(-1)?.query.get('cursor')).toBe('c1')
  expect(server.of('GET /changes').at(-1)?.query.get('wait')).toBe('25')
})

test('a server that does not wait is not asked in a circle', async () => {
  server.handlers['GET /changes'] = ({ query }) => ({ body: { changes: [], cursor: query.get('cursor'), more: false } })
  vi.stubGlobal('WebSocket', undefined)
  client = makeClient(server, { store, WebSocket: undefined })
  vi.unstubAllGlobals()
  await client.start()
  await pass(10)
  expect(server.count('GET /changes')).toBeLessThan(50)
})

test('two sockets that fail within ten seconds lead to polling, and back after five minutes', async () => {
  await client.start()
  await settle()
  await Socket.newest.fail()
  await pass(1)
  await Socket.newest.fail()
  await pass(2)
  expect(Socket.made).toHaveLength(2)
  expect(server.of('GET /changes').at(-1)?.query.get('wait')).toBe('25')
  await pass(330)
  expect(Socket.made).toHaveLength(3)
})

test('a network that swallows sockets leads to polling at once', async () => {
  await client.start()
  await settle()
  await pass(11)
  expect(Socket.made).toHaveLength(1)
  expect(server.of('GET /changes').at(-1)?.query.get('wait')).toBe('25')
})

test.each([4400, 4403, 4426])('close code %i ends it', async (code) => {
  const ended: unknown[] = []
  client.on('ended', (why) => ended.push(why))
  const socket = await connected(client)
  await socket.fail(code)
  await pass(600)
  expect(ended).toEqual([code])
  expect(Socket.made).toHaveLength(1)
})

test.each(['blocked', 'client_not_allowed', 'client_too_old'])('an answer %s ends it, too', async (code) => {
  const ended: unknown[] = []
  client.on('ended', (why) => ended.push(why))
  const socket = await connected(client)
  server.handlers['GET /changes'] = () => refusal(code === 'client_too_old' ? 426 : 403, code)
  await socket.fail()
  await pass(600)
  expect(ended).toEqual([code])
  expect(Socket.made).toHaveLength(1)
})

test('4429 waits for half a minute', async () => {
  const socket = await connected(client)
  await socket.fail(4429)
  await pass(29)
  expect(Socket.made).toHaveLength(1)
  await pass(3)
  expect(Socket.made).toHaveLength(2)
})

test('4413 comes back at once and reads what it missed; 4409 polls', async () => {
  const socket = await connected(client)
  await socket.fail(4413)
  expect(Socket.made).toHaveLength(2)
  await Socket.newest.accept()
  await Socket.newest.fail(4409)
  expect(Socket.made).toHaveLength(2)
  expect(server.of('GET /changes').at(-1)?.query.get('wait')).toBe('25')
})

test('a cursor that is over leads to reading everything anew, and what waits stays', async () => {
  await connected(client)
  client.stop()
  const item = await client.send('Still mine')
  server.handlers[SEND] = () => new TypeError('no network')
  let asked = 0
  const usual = server.handlers['GET /changes']
  server.handlers['GET /changes'] = (one) =>
    asked++ === 0 ? { status: 410, body: { error: { code: 'cursor_expired' }, reset: true, cursor: 'c90' } } : (usual?.(one) ?? {})
  server.threads = [thread({ last_pos: 9, unread: 1 }), thread({ id: 'th_0', live: false, state: 'closed' })]
  server.messages = [message(9)]
  server.cursor = 'c90'
  const resets: unknown[] = []
  client.on('reset', (state) => resets.push(state.of('th_1').length))
  await client.start()
  await settle()
  expect(resets).toEqual([1])
  expect(client.outbox.items.map((one) => one.client_id)).toEqual([item.client_id])
  expect(server.count('GET /threads/th_0/messages')).toBe(0)
  expect(Socket.newest).toBeDefined()
  expect(cursor()).toBe('c90')
})

test('a socket that says reset does the same', async () => {
  await client.start()
  await settle()
  server.threads = [thread({ last_pos: 3, unread: 2 })]
  server.messages = [message(2), message(3)]
  server.cursor = 'c3'
  await Socket.newest.accept({ resume: 'reset' })
  expect(texts()).toEqual(['Number 2', 'Number 3'])
  expect(client.state.unread).toBe(2)
  expect(Socket.newest.said('ack')).toEqual([{ t: 'ack', cursor: 'c3' }])
})

test('a store that fails while changes come is told, and they are read again', async () => {
  const broken: unknown[] = []
  client.on('broken', (error) => broken.push((error as Error).message))
  const socket = await connected(client)
  vi.spyOn(store, 'write').mockRejectedValueOnce(new Error('disk full'))
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  expect(broken).toEqual(['disk full'])
  expect(cursor()).toBe('c0')
  await pass(2)
  expect(server.of('GET /changes').at(-1)?.query.get('cursor')).toBe('c0')
})

test('being in the background is told, and coming back too', async () => {
  const socket = await connected(client)
  client.visible = false
  client.visible = true
  expect(socket.said('visible').map((one) => one['visible'])).toEqual([false, true])
})

test('a push wakes it for one look, which sends what waits', async () => {
  await connected(client)
  client.stop()
  const other = makeClient(server, { store })
  await other.send('Waits')
  server.tell('c8', created(8, message(8)))
  await other.wake()
  expect(other.state.of('th_1').map((one) => one.pos)).toContain(8)
  expect(server.count(SEND)).toBe(1)
  expect(Socket.made).toHaveLength(1)
})

test('a new version of the app does not believe what an older one was offered', async () => {
  await connected(client)
  client.stop()
  server.handlers['GET /config'] = () => ({ body: { features: { submission_by_group: true } } })
  const updated = makeClient(server, { store, version: '3.1' })
  await updated.start()
  await settle()
  expect(updated.can('submission_by_group')).toBe(true)
  expect(updated.can('typing')).toBe(false)
  updated.stop()
  expect(given()).toBeDefined()
})
