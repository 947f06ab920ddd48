import { afterEach, beforeEach, expect, test } from 'vitest'
import { type MemoryStore, type TrunklineClient, WebStore } from '../src/index.ts'
import { ADA, Server, Socket, begin, connected, created, end, given, makeClient, message, pass, refusal, settle, thread } from './fake.ts'

let server: Server
let store: MemoryStore
let client: TrunklineClient

beforeEach(() => {
  ({ server, store, client } = begin())
})

afterEach(() => {
  end(client)
})

const verified = (id: string, token: string, more: object = {}): object =>
  given({ identity: 'verified', token, contact: { id, name: null, locale: 'en' }, ...more })

test('whoever is signed in on the phone is so from the first token on', async () => {
  client = makeClient(server, { store, identity: async () => 'a.jwt.of-ana' })
  await connected(client)
  expect(server.of('POST /tokens')[0]?.body).toEqual({ identity: 'a.jwt.of-ana' })
})

test('a token that ends soon is renewed with a fresh proof', async () => {
  let proofs = 0
  server.handlers['POST /tokens'] = () => ({ status: 201, body: verified('ct_1', 'vt_1') })
  server.handlers['POST /tokens/exchange'] = () => ({ body: verified('ct_1', 'vt_2') })
  client = makeClient(server, { store, identity: async () => `jwt-${String(++proofs)}` })
  const socket = await connected(client)
  await socket.tell({ t: 'auth.expiring', expires_at: '2026-05-01T10:05:00.000Z' })
  await settle()
  expect(server.of('POST /tokens/exchange')[0]?.body).toEqual({ identity: 'jwt-2' })
  expect(Socket.newest).not.toBe(socket)
  await Socket.newest.accept()
  expect(Socket.newest.sent[0]).toMatchObject({ token: 'vt_2', cursor: 'c0' })
  expect(store.kept.get('token')).toBe('"vt_2"')
})

test('the socket that a sign-in ends asks for no other token', async () => {
  const socket = await connected(client)
  server.handlers['POST /tokens/exchange'] = async () => {
    await socket.fail(4401)
    return { body: verified('ct_1', 'vt_2') }
  }
  await client.identify('jwt')
  await pass(2)
  expect(server.count('POST /tokens')).toBe(1)
  await Socket.newest.accept()
  expect(Socket.newest.sent[0]).toMatchObject({ token: 'vt_2' })
})

test('a sign-in that is refused leaves all as it was', async () => {
  await connected(client)
  server.handlers['POST /tokens/exchange'] = () => refusal(401, 'identity_expired')
  await expect(client.identify('jwt')).rejects.toMatchObject({ code: 'identity_expired' })
  await client.send('Still here')
  await settle()
  expect(client.outbox.items).toEqual([])
  expect(client.api.token).toBe('vt_1')
})

test.each(['socket', 'call'])('a dead token (by %s) is replaced once, with the proof, and the outbox goes on', async (by) => {
  let tokens = 0
  server.handlers['POST /tokens'] = () => ({ status: 201, body: verified('ct_1', `vt_${String(++tokens)}`) })
  client = makeClient(server, { store, identity: async () => 'jwt' })
  const socket = await connected(client)
  if (by === 'socket') await socket.fail(4401)
  else {
    const usual = server.handlers['POST /threads/live/messages']
    server.handlers['POST /threads/live/messages'] = (asked) =>
      asked.headers['Authorization'] === 'Bearer vt_1' ? refusal(401, 'token_expired') : (usual?.(asked) ?? {})
    await client.send('One')
    await client.send('Two')
    await settle()
    expect(client.outbox.items).toEqual([])
  }
  await settle()
  expect(tokens).toBe(2)
  await Socket.newest.accept()
  expect(Socket.newest.sent[0]).toMatchObject({ token: 'vt_2' })
})

test('where no new token is to be had, it ends and says why', async () => {
  const ended: unknown[] = []
  client.on('ended', (why) => ended.push(why))
  const socket = await connected(client)
  server.handlers['POST /tokens'] = () => refusal(403, 'identity_required')
  await socket.fail(4401)
  await pass(600)
  expect(ended).toEqual([4401])
  expect(server.count('POST /tokens')).toBe(2)
})

test('a server that is down while a token is renewed is asked again', async () => {
  const socket = await connected(client)
  const usual = server.handlers['POST /tokens']
  server.handlers['POST /tokens'] = () => new TypeError('no network')
  server.handlers['GET /changes'] = () => refusal(401, 'token_invalid')
  await socket.fail(4401)
  await pass(3)
  server.handlers['POST /tokens'] = usual as never
  server.handlers['GET /changes'] = () => ({ body: { changes: [], cursor: 'c0', more: false } })
  await pass(30)
  await settle()
  expect(Socket.newest).not.toBe(socket)
})

test('signing in keeps the conversation, and a merge reads everything anew', async () => {
  await connected(client)
  await client.send('Before signing in')
  await settle()
  server.handlers['POST /tokens/exchange'] = () => ({ body: verified('ct_9', 'vt_2', { merged: true }) })
  server.threads = [thread({ last_pos: 2, unread: 1 })]
  server.messages = [message(1), message(2)]
  await client.identify('jwt')
  await settle()
  expect(client.state.of('th_1').map((one) => one.pos)).toEqual([1, 2])
  expect(client.contact).toBe('ct_9')
})

test('another user on the same phone finds nothing of the last one', async () => {
  server.handlers['POST /tokens'] = () => ({ status: 201, body: verified('ct_1', 'vt_1') })
  const socket = await connected(client)
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  server.handlers['POST /threads/live/messages'] = () => new TypeError('no network')
  await client.send('Secret of the first')
  await client.registerDevice({ provider: 'fcm', push_token: 'invented' })
  server.handlers['POST /tokens/exchange'] = () => ({ body: verified('ct_2', 'vt_2') })
  await client.identify('jwt-of-the-second', { switch: true })
  await settle()
  expect(server.of('POST /tokens/exchange')[0]?.body).toEqual({ identity: 'jwt-of-the-second', switch: true })
  expect(client.state.messages.size).toBe(0)
  expect(client.outbox.items).toEqual([])
  expect([...store.kept.values()].join()).not.toContain('Secret')
  const devices = server.asked.filter((one) => one.method === 'PUT')
  expect(devices.at(-1)?.headers['Authorization']).toBe('Bearer vt_2')
  expect(new Set(devices.map((one) => one.path)).size).toBe(1)
})

test('an anonymous token that died takes the history with it, but not what waits', async () => {
  const socket = await connected(client)
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  const usual = server.handlers['POST /threads/live/messages']
  server.handlers['POST /threads/live/messages'] = () => new TypeError('no network')
  const item = await client.send('Still mine')
  await settle()
  server.handlers['POST /tokens'] = () => ({ status: 201, body: given({ token: 'vt_2', contact: { id: 'ct_2', name: null, locale: 'en' } }) })
  server.handlers['POST /threads/live/messages'] = usual as never
  await socket.fail(4401)
  await pass(2)
  expect(server.of('POST /threads/live/messages').at(-1)?.body['client_id']).toBe(item.client_id)
  expect(client.state.messages.has('ms_1')).toBe(false)
})

test('signing out forgets everything, and an anonymous user must insist', async () => {
  server.handlers['DELETE /tokens/current'] = ({ query }) =>
    query.get('force') === 'true' ? { status: 204 } : refusal(409, 'anonymous_history_loss')
  await connected(client)
  await client.registerDevice({ provider: 'fcm', push_token: 'invented' })
  await expect(client.logout()).rejects.toMatchObject({ code: 'anonymous_history_loss' })
  expect(client.api.token).toBe('vt_1')
  await client.logout({ force: true })
  expect(client.api.token).toBeNull()
  expect([...store.kept.keys()].sort()).toEqual(['features', 'outbox'])
  expect(store.kept.get('outbox')).toBe('[]')
})

test('a device is told at every start, under one id', async () => {
  await connected(client)
  expect(await client.registerDevice({ provider: 'apns', push_token: 'ab'.repeat(32), environment: 'sandbox', bundle_id: 'shop.example' })).toBe(true)
  client.stop()
  const again = makeClient(server, { store })
  await again.start()
  again.stop()
  const put = server.asked.filter((one) => one.method === 'PUT')
  expect(put).toHaveLength(2)
  expect(new Set(put.map((one) => one.path)).size).toBe(1)
  expect(put[0]?.body).toEqual({ enabled: true, provider: 'apns', push_token: 'ab'.repeat(32), environment: 'sandbox', bundle_id: 'shop.example' })
})

test('where nobody pushes no device is told', async () => {
  server.handlers['POST /tokens'] = () => ({ status: 201, body: given({ features: { push: false } }) })
  await connected(client)
  expect(await client.registerDevice({ provider: 'fcm', push_token: 'invented' })).toBe(false)
  expect(server.asked.filter((one) => one.method === 'PUT')).toEqual([])
})

test('typing is told at most every three seconds, by the socket or without', async () => {
  const socket = await connected(client)
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  client.typing()
  client.typing()
  await pass(3)
  client.typing()
  expect(socket.said('typing')).toHaveLength(2)
  await socket.fail()
  await pass(4)
  client.typing()
  await settle()
  expect(socket.said('typing').length + Socket.newest.said('typing').length + server.count('POST /threads/live/typing')).toBe(3)
})

test('what a feature does not allow is not done', async () => {
  server.handlers['POST /tokens'] = () => ({ status: 201, body: given({ features: { typing: false } }) })
  const socket = await connected(client)
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  client.typing()
  expect(socket.said('typing')).toEqual([])
  await socket.tell({ t: 'ready', resume: 'ok', features: { typing: true } })
  expect(client.can('typing')).toBe(true)
})

test('reading marks rise and never fall, on this device and from another', async () => {
  const socket = await connected(client)
  const unread: number[] = []
  client.on('unread', (count) => unread.push(count))
  for (const pos of [1, 2, 3]) await socket.tell({ t: 'change', cursor: `c${String(pos)}`, ...created(pos, message(pos)) })
  server.handlers['POST /threads/th_1/read'] = ({ body }) => ({ body: { read_pos: body['pos'], unread: 3 - Number(body['pos']) } })
  await client.markRead(client.state.live, 2)
  await client.markRead(client.state.live, 1)
  expect(server.of('POST /threads/th_1/read').map((one) => one.body['pos'])).toEqual([2])
  await socket.tell({ t: 'change', cursor: 'c4', seq: 4, type: 'read.changed', data: { id: 'th_1:contact', thread_id: 'th_1', side: 'contact', pos: 3, unread: 0, rev: 4 } })
  expect(unread).toEqual([1, 2, 3, 1, 0])
})

test('how far a message came on another device is told, and never goes back', async () => {
  const socket = await connected(client)
  const updated: (string | undefined)[] = []
  client.on('updated', (one) => updated.push(one.state))
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1, { state: 'sent' })) })
  for (const [seq, id, state] of [[2, 'ms_1', 'delivered'], [3, 'ms_1', 'read'], [4, 'ms_1', 'delivered'], [5, 'ms_0', 'read']])
    await socket.tell({ t: 'change', cursor: `c${String(seq)}`, seq, type: 'delivery.changed', data: { id, thread_id: 'th_1', state, rev: seq } })
  expect(updated).toEqual(['delivered', 'read'])
  expect(client.state.messages.get('ms_1')?.state).toBe('read')
})

test('a message that is taken back is not unread any more', async () => {
  const socket = await connected(client)
  await socket.tell({ t: 'change', cursor: 'c1', ...created(1, message(1)) })
  await socket.tell({ t: 'change', cursor: 'c2', ...created(2, message(1, { rev: 1_000_001, kind: 'redacted' })), type: 'message.redacted' })
  expect(client.state.unread).toBe(0)
})

test('who answers and whether it is over is told', async () => {
  const socket = await connected(client)
  const heard: unknown[] = []
  client.on('thread', (one) => heard.push([one.state, one.agent?.name]))
  await socket.tell({ t: 'change', cursor: 'c1', seq: 1, type: 'thread.changed', data: { id: 'th_1', agent: ADA, rev: 1 } })
  await socket.tell({ t: 'change', cursor: 'c2', seq: 2, type: 'thread.changed', data: { id: 'th_1', state: 'closed', rev: 2 } })
  await socket.tell({ t: 'typing', thread_id: 'th_1', author: ADA, ttl_s: 6 })
  await socket.tell({ t: 'something_new', x: 1 })
  await socket.tell({ t: 'change', cursor: 'c3', seq: 3, type: 'something.new', data: { id: 'x' } })
  expect(heard).toEqual([['open', 'Ada'], ['closed', 'Ada']])
})

test('the rest is asked for when it is wanted', async () => {
  await connected(client)
  server.handlers['GET /unread'] = () => ({ body: { unread: 4, cursor: 'c1' } })
  expect(await client.unread()).toBe(4)
  await client.setContact({ name: 'Bo', attributes: { plan: 'gold' } })
  expect(server.of('PATCH /me')[0]?.body).toEqual({ name: 'Bo', attributes: { plan: 'gold' } })
  await client.history('th_1', 40, 20)
  expect(server.of('GET /threads/th_1/messages').at(-1)?.query.toString()).toBe('before=40&limit=20')
  expect(client.api.address('/client/v1/files/up_1?sig=x')).toBe('https://desk.example.test/client/v1/files/up_1?sig=x')
})

test('a store of a browser writes one entry', async () => {
  const kept = new Map<string, string>()
  const storage = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, text: string) => void kept.set(name, text) }
  const web = new WebStore('shop', storage as Storage)
  await web.write({ a: '1', b: '2' })
  await web.write({ a: null, c: '3' })
  expect([await web.read('a'), await web.read('b'), await web.read('c')]).toEqual([null, '2', '3'])
  expect([...kept.keys()]).toEqual(['trunkline.shop'])
})
