import userEvent from '@testing-library/user-event'
import { screen, waitFor } from '@testing-library/vue'
import { createPinia, setActivePinia } from 'pinia'
import { describe, expect, it, vi } from 'vitest'
import { createMemoryHistory } from 'vue-router'

import { api, call, onUnauthorised } from '@/api/client'
import { Refused, Unreachable } from '@/api/problem'
import { keepToken, readToken } from '@/api/token'
import QuarantinePage from '@/pages/QuarantinePage.vue'
import SetupPage from '@/pages/SetupPage.vue'
import SignInPage from '@/pages/SignInPage.vue'
import { createAppRouter } from '@/router'
import { useInbox } from '@/state/inbox'
import ThreadList from '@/threads/ThreadList.vue'

import { aPage, aServer, expectAccessible, json, problem } from './page'
import { aThread } from './samples'

const GRANT = { token: 'tla_sample', agent: { id: 'ada', name: 'Ada', email: 'ada@shop.example', role: 'agent', enabled: true }, expires_at: '2026-11-22T00:00:00.000Z' }

async function signIn(stay = false): Promise<void> {
  await userEvent.type(screen.getByLabelText('E-mail'), 'ada@shop.example')
  await userEvent.type(screen.getByLabelText('Password'), 'four words of mine')
  if (stay) await userEvent.click(screen.getByLabelText(/Keep me signed in/u))
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
}

describe('signing in', () => {
  it('leads back to where one was', async () => {
    aServer({ 'POST /sessions': () => json(GRANT, 201) })
    const { router } = await aPage(SignInPage, {}, '/sign-in?back=/threads/t7')
    await signIn()
    await waitFor(() => { expect(router.currentRoute.value.fullPath).toBe('/threads/t7') })
  })

  it.each([[false, sessionStorage, localStorage], [true, localStorage, sessionStorage]])('with "keep me signed in" %s is kept in one place only', async (stay, kept, other) => {
    aServer({ 'POST /sessions': () => json(GRANT, 201) })
    await aPage(SignInPage, {}, '/sign-in')
    await signIn(stay)
    await waitFor(() => { expect(kept.getItem('trunkline.token')).toBe('tla_sample') })
    expect(other.getItem('trunkline.token')).toBeNull()
  })

  it('tells why it was refused', async () => {
    aServer({ 'POST /sessions': () => problem(401, 'sign_in_refused', 'E-mail or password is wrong.') })
    const { container } = await aPage(SignInPage, {}, '/sign-in')
    await signIn()
    expect((await screen.findByRole('alert')).textContent).toContain('E-mail or password is wrong.')
    await expectAccessible(container)
  })

  it('tells when the server does not answer', async () => {
    aServer({ 'POST /sessions': () => Promise.reject(new TypeError('cut')) })
    await aPage(SignInPage, {}, '/sign-in')
    await signIn()
    expect((await screen.findByRole('alert')).textContent).toContain('No answer from the server')
  })
})

describe('a token handed over in the address', () => {
  async function arrive(isFramed: boolean, answer: () => Response): Promise<string> {
    setActivePinia(createPinia())
    aServer({ 'GET /me': answer })
    const router = createAppRouter(createMemoryHistory(), isFramed)
    await router.push('/sign-in#token=tla_handed')
    return router.currentRoute.value.fullPath
  }

  it('opens the inbox in the frame of the demo', async () => {
    expect(await arrive(true, () => json(GRANT.agent))).toBe('/threads')
    expect(readToken()).toBe('tla_handed')
  })

  it('that is not good leads to signing in', async () => {
    expect(await arrive(true, () => problem(401, 'sign_in_needed', 'Sign in first.'))).toBe('/sign-in')
  })

  it('by a link, outside of a frame, signs nobody in', async () => {
    expect(await arrive(false, () => json(GRANT.agent))).toBe('/sign-in#token=tla_handed')
    expect(readToken()).toBeNull()
  })
})

describe('the set-up link', () => {
  it('puts an error beside the field it is about', async () => {
    const refused = { ...(await problem(422, 'invalid', 'The password is too common.').json() as object), errors: [{ field: 'password', message: 'Choose another.' }] }
    aServer({
      'GET /setup/once': () => json({ email: 'bo@shop.example', name: null, role: 'agent' }),
      'POST /setup': () => new Response(JSON.stringify(refused), { status: 422, headers: { 'Content-Type': 'application/problem+json' } }),
    })
    const { container } = await aPage(SetupPage, {}, '/setup?token=once')
    await userEvent.type(await screen.findByLabelText('Name'), 'Bo')
    await userEvent.type(screen.getByLabelText('Password'), 'password12')
    await userEvent.click(screen.getByRole('button', { name: 'Start working' }))
    await screen.findByText('Choose another.')
    expect(screen.getByLabelText('Password').getAttribute('aria-invalid')).toBe('true')
    await expectAccessible(container)
  })

  it('that was used up says so', async () => {
    aServer({ 'GET /setup/old': () => problem(404, 'not_found', 'The link was used or is too old. Ask for a new one.') })
    await aPage(SetupPage, {}, '/setup?token=old')
    await screen.findByText('The link was used or is too old. Ask for a new one.')
  })
})

describe('the list', () => {
  const page = (items: unknown[]) => json({ items, next_cursor: null, stream_cursor: 1 })

  it('says that all is quiet when there is nothing', async () => {
    aServer({ 'GET /threads': () => page([]) })
    const { container } = await aPage(ThreadList, { selected: null })
    const { useThreads } = await import('@/state/threads')
    await useThreads().choose({})
    await screen.findByText('All quiet')
    await expectAccessible(container)
  })

  it('tells why it could not be loaded and tries again', async () => {
    let tries = 0
    aServer({ 'GET /threads': () => (++tries === 1 ? problem(503, 'busy', 'The database is busy.') : page([aThread()])) })
    await aPage(ThreadList, { selected: null })
    const { useThreads } = await import('@/state/threads')
    await useThreads().choose({})
    await screen.findByText('The database is busy.')
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await waitFor(() => { expect(useThreads().rows).toHaveLength(1) })
  })
})

describe('the quarantine', () => {
  const item = { id: 'q1', kind: 'received', account_id: 'shop', at: '2026-11-21T10:00:00.000Z', reason: 'An unknown shape', error: null, code: null, attempts: 1, request_id: 'r1', thread_id: null, message_id: null, body_preview: '{"a":1}', state: 'quarantined' }
  const whole = { ...item, headers: { 'x-proof': '***' }, query: {}, payload: { text: '<b>{"a":1}</b>', size: 14, cut: false }, tries: [] }

  it('lets an item go only with a reason', async () => {
    const { asked } = aServer({
      'GET /quarantine': () => json({ items: [item], next_cursor: null }),
      'GET /quarantine/q1': () => json(whole),
      'POST /quarantine/q1/skip': () => json(item),
    })
    const { container } = await aPage(QuarantinePage, {}, '/quarantine')
    await userEvent.click(await screen.findByRole('button', { name: /An unknown shape/u }))
    await screen.findByText('<b>{"a":1}</b>')
    await userEvent.click(screen.getByRole('button', { name: 'Leave out…' }))
    await expectAccessible(container)
    await userEvent.type(screen.getByRole('textbox'), 'A test{Enter}')
    await screen.findByText('Nothing in quarantine')
    expect(asked.filter(({ path }) => path === '/quarantine/q1/skip').map(({ body }) => body)).toEqual([{ reason: 'A test' }])
  })

  it('says how many match before it tries them, batch after batch', async () => {
    const swept = { matching: 3, tried: 2, done: 1, failed: 1, failures: [{ id: 'q1', words: 'Not yet.' }], upto: 'q9', after: null }
    const { asked } = aServer({
      'GET /quarantine': () => json({ items: [item], next_cursor: null }),
      'POST /quarantine/retry': ({ body }) => json((body as { after?: string | null }).after === 'q5' ? { ...swept, tried: 1, failed: 0, failures: [] } : { ...swept, after: 'q5' }),
    })
    await aPage(QuarantinePage, {}, '/quarantine?account=shop')
    // Until there is a list there is nothing to try again.
    await screen.findByText('An unknown shape', { selector: 'strong' })
    await userEvent.click(screen.getByRole('button', { name: 'Try all again…' }))
    await screen.findByText('3 match')
    await userEvent.click(screen.getByRole('button', { name: 'Try 3 again' }))
    await screen.findByText('3 of 3 tried: 2 read, 1 as before.')
    const [dry, ...sent] = asked.filter(({ path }) => path === '/quarantine/retry').map(({ body }) => body)
    expect(dry).toEqual({ kind: 'received', account_id: 'shop', dry_run: true, limit: 100 })
    expect(sent).toEqual([null, 'q5'].map((after) => ({ kind: 'received', account_id: 'shop', dry_run: false, limit: 50, upto: 'q9', after })))
  })

  it('follows the feed: what is closed goes, what is new waits behind a button', async () => {
    aServer({ 'GET /quarantine': () => json({ items: [item], next_cursor: null }) })
    await aPage(QuarantinePage, {}, '/quarantine')
    await screen.findByText('An unknown shape', { selector: 'strong' })
    const inbox = useInbox()
    const event = (seq: number, kind: string, quarantine_id: string) => ({ seq, at: '', kind, thread_id: null, actor: { kind: 'system' as const, id: null, name: null }, payload: { quarantine_id } })
    inbox.latest = [event(1, 'quarantined', 'q2')]
    await screen.findByRole('button', { name: 'Show new entries' })
    inbox.latest = [event(2, 'quarantine_closed', 'q1')]
    await waitFor(() => { expect(screen.queryByText('{"a":1}')).toBeNull() })
  })
})

describe('a call', () => {
  it('carries the token and tells when it is no longer good', async () => {
    keepToken('tla_sample', false)
    const told = vi.fn()
    onUnauthorised(told)
    const { fetch } = aServer({ 'GET /me': () => problem(401, 'signed_out', 'Sign in again.') })
    await expect(call(api.GET('/api/v1/me'))).rejects.toBeInstanceOf(Refused)
    expect((fetch.mock.calls[0]?.[0] as Request).headers.get('Authorization')).toBe('Bearer tla_sample')
    expect(told).toHaveBeenCalledOnce()
    expect(readToken()).toBe('tla_sample')
  })

  it('tells a refusal from silence, also when a proxy answers with a page', async () => {
    aServer({ 'GET /me': () => new Response('<h1>Bad gateway</h1>', { status: 502 }) })
    await expect(call(api.GET('/api/v1/me'))).rejects.toMatchObject({ status: 502 })
    aServer({ 'GET /me': () => Promise.reject(new TypeError('cut')) })
    await expect(call(api.GET('/api/v1/me'))).rejects.toBeInstanceOf(Unreachable)
  })
})
