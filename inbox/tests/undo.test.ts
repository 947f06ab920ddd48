import userEvent from '@testing-library/user-event'
import { screen, waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import ComposerBox from '@/composer/ComposerBox.vue'
import { useTakingBack } from '@/composer/takingBack'
import { useDrafts } from '@/state/drafts'
import { useInbox } from '@/state/inbox'
import { HOLD_MS, useOutgoing, type Reply } from '@/state/outgoing'
import { usePreferences } from '@/state/preferences'
import { setActivePinia, createPinia } from 'pinia'

import { aPage, aServer, json, problem } from './page'
import { aComposer, aMessage, aThread } from './samples'

const SEND = 'POST /threads/t1/messages'
const HELLO: Reply = { text: 'Hello', attachments: [], quickReplies: [], replyTo: null }
const sent = () => json(aMessage({ id: 'm2', position: 2, direction: 'out', author: { kind: 'agent', id: 'ada', name: 'Ada' } }), 202)

async function aBox(): Promise<void> {
  await aPage(ComposerBox, { thread: aThread(), composer: aComposer() })
  usePreferences().undo = true
}

describe('a reply that is held', () => {
  beforeEach(() => { vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }) })

  it('leaves after its time and not before', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    const done = useOutgoing().send('t1', HELLO)
    await vi.advanceTimersByTimeAsync(HOLD_MS - 1)
    expect(asked).toEqual([])
    expect(useOutgoing().held).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    await done
    expect(asked.map(({ body }) => body)).toEqual([{ text: 'Hello' }])
  })

  it('comes back into the draft, before what was typed since, and is never sent', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    const done = useOutgoing().send('t1', HELLO)
    useDrafts().of('t1').text = 'And more'
    expect(useTakingBack().undo()).toBe('t1')
    await vi.advanceTimersByTimeAsync(HOLD_MS * 2)
    await done
    expect(asked).toEqual([])
    expect(useDrafts().of('t1').text).toBe('Hello\nAnd more')
    expect(useOutgoing().all).toEqual([])
  })

  it('cannot be taken back when it has left', async () => {
    aServer({ [SEND]: sent })
    await aBox()
    void useOutgoing().send('t1', HELLO)
    const { key } = useOutgoing().held[0] ?? { key: '' }
    await vi.advanceTimersByTimeAsync(HOLD_MS)
    expect(useTakingBack().undo(key)).toBeUndefined()
    expect(useDrafts().of('t1').text).toBe('')
  })

  it('is not overtaken by one that is sent at once', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    const first = useOutgoing().send('t1', HELLO)
    usePreferences().undo = false
    await Promise.all([first, useOutgoing().send('t1', { ...HELLO, text: 'Second' })])
    expect(asked.map(({ body }) => (body as { text: string }).text)).toEqual(['Hello', 'Second'])
  })

  it('is sent under its key when the page goes, and again by the page that comes after', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    const parting = vi.fn(() => Promise.resolve(sent()))
    void useOutgoing().send('t1', HELLO)
    await vi.advanceTimersByTimeAsync(0)
    const before = globalThis.fetch
    vi.stubGlobal('fetch', parting)
    useOutgoing().leave()
    vi.stubGlobal('fetch', before)
    const [address, request] = parting.mock.calls[0] as unknown as [string, RequestInit & { headers: Record<string, string> }]
    expect(address).toMatch(/\/api\/v1\/threads\/t1\/messages$/u)
    expect(request).toMatchObject({ method: 'POST', keepalive: true, body: JSON.stringify({ text: 'Hello' }) })

    setActivePinia(createPinia())
    useInbox().start('ada', () => Promise.resolve(0))
    useOutgoing().restore(() => undefined)
    await vi.advanceTimersByTimeAsync(0)
    await vi.waitFor(() => { expect(asked).toHaveLength(1) })
    expect(asked[0]?.key).toBe(request.headers['Idempotency-Key'])
  })

  it('is nobody else’s when another agent signs in after a reload', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    void useOutgoing().send('t1', HELLO)
    await vi.advanceTimersByTimeAsync(0)
    setActivePinia(createPinia())
    useInbox().start('bo', () => Promise.resolve(0))
    useOutgoing().restore(() => undefined)
    await vi.advanceTimersByTimeAsync(HOLD_MS)
    expect(asked.filter(({ key }) => key !== null)).toHaveLength(1)
    expect(useOutgoing().all).toEqual([])
  })
})

describe('the composer', () => {
  it('takes the held reply back on Ctrl and Z while nothing is typed', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    const box = screen.getByRole<HTMLTextAreaElement>('textbox')
    await userEvent.type(box, 'Hello{Enter}')
    expect(box.value).toBe('')
    await userEvent.keyboard('{Control>}z{/Control}')
    await waitFor(() => { expect(box.value).toBe('Hello') })
    expect(asked.filter(({ path }) => path.endsWith('/messages'))).toEqual([])
  })

  it('sends only with Ctrl and Enter where the agent wants new lines', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    usePreferences().undo = false
    usePreferences().enterSends = false
    const box = screen.getByRole<HTMLTextAreaElement>('textbox')
    await userEvent.type(box, 'One{Enter}Two')
    expect(box.value).toBe('One\nTwo')
    expect(asked).toEqual([])
    await userEvent.keyboard('{Control>}{Enter}{/Control}')
    await waitFor(() => { expect(asked).toHaveLength(1) })
  })

  it('keeps the reason of a refusal for the thread, also when the agent is elsewhere by then', async () => {
    aServer({ [SEND]: () => problem(422, 'text_too_long', 'At most five messages at once.') })
    const page = await aPage(ComposerBox, { thread: aThread(), composer: aComposer() })
    usePreferences().undo = false
    await userEvent.type(screen.getByRole('textbox'), 'Too much{Enter}')
    page.unmount()
    await waitFor(() => { expect(useDrafts().of('t1').text).toBe('Too much') })
    expect(useDrafts().refusals.get('t1')).toMatchObject({ message: 'At most five messages at once.' })
  })
})
