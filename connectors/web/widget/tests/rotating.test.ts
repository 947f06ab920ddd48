import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Api } from '../src/app/api'
import { Live } from '../src/app/live'
import type { ToLoader } from '../src/port'
import { Socket } from './fake'

let api: Api
let told: ToLoader[]

beforeEach(() => {
  told = []
  api = new Api('wk_test', (word) => told.push(word))
  api.token = 'vt_1'
})

afterEach(() => vi.unstubAllGlobals())

/** Let the server offer a token with its next answer; it waits until it is let go. */
function offering(next: string): () => void {
  let go = (): void => undefined
  const answer = new Promise<Response>((done) => {
    go = () => done(new Response('{}', { headers: { 'X-Next-Token': next } }))
  })
  vi.stubGlobal('fetch', () => answer)
  return () => go()
}

test('the token that follows is used once the page keeps it', async () => {
  offering('vt_2')()
  await api.call('GET', 'me')
  expect(told).toEqual([{ t: 'next', was: 'vt_1', token: 'vt_2' }])
  expect(api.token).toBe('vt_1')
  expect(api.kept('vt_2')).toBe('vt_2')
  expect(api.token).toBe('vt_2')
})

test('where the page keeps another by now, that is not taken for this visitor', async () => {
  offering('vt_2')()
  await api.call('GET', 'me')
  api.kept('vt_of_somebody')
  expect(api.token).toBe('vt_1')
  api.kept(null)
  expect(api.token).toBe('vt_1')
})

test('an offer to a token that is not in use any more is nobody\'s', async () => {
  const go = offering('vt_2')
  const asked = api.call('GET', 'me')
  api.token = 'vt_of_somebody'
  go()
  await asked
  expect(told).toEqual([])
})

test('what the page kept late does not replace whoever signed in meanwhile', async () => {
  offering('vt_2')()
  await api.call('GET', 'me')
  api.token = 'vt_of_somebody'
  api.kept('vt_2')
  expect(api.token).toBe('vt_of_somebody')
})

test('the socket offers one too', () => {
  Socket.made = []
  vi.stubGlobal('WebSocket', Socket)
  const ears = new Proxy({}, { get: () => () => undefined })
  const live = new Live(api, ears as never, () => true)
  live.start('c1')
  Socket.newest.accept({ next_token: 'vt_2' })
  expect(told).toEqual([{ t: 'next', was: 'vt_1', token: 'vt_2' }])
  live.stop()
})
