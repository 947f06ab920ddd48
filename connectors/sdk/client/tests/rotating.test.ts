import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type MemoryStore, type TrunklineClient } from '../src/index.ts'
import { Server, Socket, begin, connected, end, given, pass, refusal, settle, type Asked } from './fake.ts'

let server: Server
let store: MemoryStore
let client: TrunklineClient

beforeEach(() => {
  ({ server, store, client } = begin())
})

afterEach(() => {
  end(client)
})

const bearer = (asked: Asked | undefined): string | undefined => asked?.headers['Authorization']
const offer = (next: string): void => {
  server.handlers['GET /me'] = () => ({ body: { id: 'ct_1' }, headers: { 'X-Next-Token': next } })
}
/** Let the server know one token only. */
const only = (token: string): void => {
  server.handlers['GET /changes'] = (asked) =>
    bearer(asked) === `Bearer ${token}`
      ? { body: { changes: [], cursor: 'c1', more: false, reset: false, server_time: '' } }
      : refusal(401, 'token_expired')
}

test('the token that follows is kept before it is used', async () => {
  await connected(client)
  let kept = (): void => undefined
  const write = store.write.bind(store)
  vi.spyOn(store, 'write').mockImplementation(async (entries) => {
    await new Promise<void>((done) => (kept = done))
    await write(entries)
  })
  offer('vt_2')
  await client.me()
  await settle()
  expect(client.api.token).toBe('vt_1')
  kept()
  await settle()
  expect([client.api.token, store.kept.get('token')]).toEqual(['vt_2', '"vt_2"'])
  await client.me()
  expect(server.of('GET /me').map(bearer)).toEqual(['Bearer vt_1', 'Bearer vt_2'])
})

test('a store that fails leaves the token as it was', async () => {
  await connected(client)
  vi.spyOn(store, 'write').mockRejectedValue(new Error('full'))
  offer('vt_2')
  await client.me()
  await settle()
  expect(client.api.token).toBe('vt_1')
})

test('the socket offers it too, and stays', async () => {
  await client.start()
  await settle()
  const socket = Socket.newest
  await socket.accept({ next_token: 'vt_2' })
  await settle()
  expect([client.api.token, store.kept.get('token')]).toEqual(['vt_2', '"vt_2"'])
  expect(Socket.newest).toBe(socket)
})

test('what another tab became meanwhile is not overwritten by a late offer', async () => {
  await connected(client)
  store.kept.set('token', '"vt_somebody"')
  offer('vt_2')
  await client.me()
  await settle()
  expect([client.api.token, store.kept.get('token')]).toEqual(['vt_1', '"vt_somebody"'])
})

test('a tab whose token is over goes on with the one that another tab has kept', async () => {
  const socket = await connected(client)
  store.kept.set('token', '"vt_2"')
  only('vt_2')
  await socket.fail(4401)
  await pass(2)
  await Socket.newest.accept()
  expect(Socket.newest.sent[0]).toMatchObject({ token: 'vt_2' })
  expect(server.count('POST /tokens')).toBe(1)
  expect(client.api.token).toBe('vt_2')
})

test('a push wakes an app whose token is over, and it catches up with the one that is kept', async () => {
  await connected(client)
  client.stop()
  store.kept.set('token', '"vt_2"')
  only('vt_2')
  await client.wake()
  expect(store.kept.get('cursor')).toBe('"c1"')
  expect(server.count('POST /tokens')).toBe(1)
})

test('where another tab signed somebody in, this one becomes them with what is kept of theirs', async () => {
  const socket = await connected(client)
  store.kept.set('token', '"vt_ana"')
  store.kept.set('who', '{"id":"ct_ana","verified":true}')
  store.kept.set('cursor', '"c9"')
  const heard: unknown[] = []
  client.on('reset', () => heard.push('reset'))
  await socket.fail(4401)
  await pass(2)
  await Socket.newest.accept()
  expect(Socket.newest.sent[0]).toMatchObject({ token: 'vt_ana', cursor: 'c9' })
  expect([client.contact, heard]).toEqual(['ct_ana', ['reset']])
  expect(server.count('POST /tokens')).toBe(1)
})

test('a kept token that is dead too is replaced by a fresh one', async () => {
  const socket = await connected(client)
  server.handlers['POST /tokens'] = () => ({ status: 201, body: given({ token: 'vt_3' }) })
  only('vt_3')
  store.kept.set('token', '"vt_2"')
  await socket.fail(4401)
  await pass(30)
  expect(server.count('POST /tokens')).toBe(2)
  expect(client.api.token).toBe('vt_3')
})
