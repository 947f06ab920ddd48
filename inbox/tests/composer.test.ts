import userEvent from '@testing-library/user-event'
import { screen, waitFor } from '@testing-library/vue'
import { describe, expect, it, vi } from 'vitest'

import type { Composer, ThreadSummary } from '@/api/types'
import { badTitles, textBudget } from '@/composer/budget'
import ComposerBox from '@/composer/ComposerBox.vue'
import { setClock } from '@/clock'
import { refusalOf } from '@/state/attachments'
import { useDrafts } from '@/state/drafts'
import { notYetShown, useOutgoing, type Outgoing } from '@/state/outgoing'

import { aPage, aServer, expectAccessible, json, problem } from './page'
import { aComposer, aMessage, aThread } from './samples'

const SEND = 'POST /threads/t1/messages'
const sent = () => json(aMessage({ id: 'm2', position: 2, direction: 'out', author: { kind: 'agent', id: 'ada', name: 'Ada' } }), 202)
const aBox = (composer: Composer = aComposer(), thread: ThreadSummary = aThread()) => aPage(ComposerBox, { thread, composer })
const box = () => screen.getByRole<HTMLTextAreaElement>('textbox')
const button = () => screen.getByRole('button', { name: 'Send' })

describe('the composer', () => {
  it('sends once on a double click', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    await userEvent.type(box(), 'Hello')
    await userEvent.dblClick(button())
    await waitFor(() => { expect(useOutgoing().all).toEqual([]) })
    expect(asked.map(({ body }) => body)).toEqual([{ text: 'Hello' }])
  })

  it('sends on Enter and makes a new line on Shift and Enter', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    await userEvent.type(box(), 'One{Shift>}{Enter}{/Shift}Two{Enter}')
    await waitFor(() => { expect(asked).toHaveLength(1) })
    expect(asked[0]?.body).toEqual({ text: 'One\nTwo' })
    expect(box().value).toBe('')
  })

  it('sends nothing when there is nothing to say', async () => {
    const { asked } = aServer({ [SEND]: sent })
    await aBox()
    await userEvent.type(box(), '   {Enter}')
    expect(asked).toEqual([])
    expect(button()).toHaveProperty('disabled', true)
  })

  it('gives the text back with the reason when the server refuses', async () => {
    aServer({ [SEND]: () => problem(422, 'text_too_long', 'At most five messages at once.') })
    await aBox()
    await userEvent.type(box(), 'Too much{Enter}')
    expect((await screen.findByRole('alert')).textContent).toContain('At most five messages at once.')
    expect(box().value).toBe('Too much')
    expect(useOutgoing().all).toEqual([])
  })

  it('repeats under the same key when no answer comes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true, advanceTimeDelta: 1000 })
    let tries = 0
    const { asked } = aServer({ [SEND]: () => (++tries < 3 ? Promise.reject(new TypeError('cut')) : sent()) })
    await aBox()
    void useOutgoing().send('t1', { text: 'Hello', attachments: [], quickReplies: [], replyTo: null })
    await vi.waitFor(() => { expect(useOutgoing().all).toEqual([]) }, { timeout: 15_000 })
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1)
    expect(asked).toHaveLength(3)
  })

  it('writes a note that does not go to the customer', async () => {
    const note = { id: 'n1', thread_id: 't1', author: { id: 'ada', name: 'Ada' }, text: 'Careful', at: '2026-11-21T10:00:00.000Z' }
    const { asked } = aServer({ 'POST /threads/t1/notes': () => json(note, 201) })
    await aBox()
    await userEvent.click(screen.getByRole('radio', { name: 'Note' }))
    await userEvent.type(box(), 'Careful{Enter}')
    await waitFor(() => { expect(box().value).toBe('') })
    expect(asked.map(({ path }) => path)).toEqual(['/threads/t1/notes'])
  })

  it('keeps what was typed for the thread', async () => {
    aServer({})
    const first = await aBox()
    await userEvent.type(box(), 'Half a thought')
    first.unmount()
    expect(useDrafts().of('t1').text).toBe('Half a thought')
    expect(sessionStorage.getItem('trunkline.drafts')).toContain('Half a thought')
  })

  it('tells how many messages a long text becomes', async () => {
    aServer({})
    await aBox()
    await userEvent.click(box())
    await userEvent.paste('word '.repeat(30))
    expect(screen.getByText(/2 messages/u).textContent).toContain('149/100')
  })

  it('counts quick replies against the channel and sends none that is too long', async () => {
    aServer({})
    await aBox(aComposer({ quick_replies: { max: 2, title_max: 4, title_unit: 'graphemes' } }))
    await userEvent.type(box(), 'Choose')
    await userEvent.click(screen.getByRole('button', { name: 'Quick replies' }))
    await userEvent.type(screen.getByRole('textbox', { name: 'Quick reply 1' }), 'Perhaps')
    expect(button()).toHaveProperty('disabled', true)
    await userEvent.clear(screen.getByRole('textbox', { name: 'Quick reply 1' }))
    await userEvent.type(screen.getByRole('textbox', { name: 'Quick reply 1' }), 'Yes')
    expect(button()).toHaveProperty('disabled', false)
  })

  it('says why a file cannot go out and does not send', async () => {
    const { fetch } = aServer({})
    await aBox()
    await userEvent.upload(screen.getByTestId('files'), new File(['x'], 'a.zip', { type: 'application/zip' }))
    expect((await screen.findByRole('alert')).textContent).toContain('does not carry this kind of file')
    await userEvent.type(box(), 'See the file')
    expect(button()).toHaveProperty('disabled', true)
    expect(fetch).not.toHaveBeenCalled()
  })

  it('says before anything is typed that the window is over, and what is left', async () => {
    aServer({})
    setClock(() => Date.parse('2026-11-21T12:00:00.000Z'))
    const window = { open: true, expires_at: '2026-11-21T11:59:59.000Z', remaining: null, afterwards: 'template' as const, reason: 'window_closed' }
    await aBox(aComposer(), aThread({ window }))
    expect(screen.getByText(/The time for replies is over/u).textContent).toContain('Only approved templates go out now.')
  })

  it('counts the window down and tells the cost', async () => {
    aServer({})
    setClock(() => Date.parse('2026-11-21T12:00:00.000Z'))
    const window = { open: true, expires_at: '2026-11-21T12:30:00.000Z', remaining: 3, afterwards: 'nothing' as const, reason: null }
    await aBox(aComposer({ cost: 'quota', quota_left: 180 }), aThread({ window }))
    expect(screen.getByText(/Reply within 30m/u).textContent).toContain('3 replies left')
    expect(screen.getByText(/180 left/u)).toBeTruthy()
  })

  it('can be used by everybody', async () => {
    aServer({})
    const { container } = await aBox(aComposer({ quick_replies: { max: 2, title_max: 4, title_unit: 'graphemes' } }))
    await userEvent.click(screen.getByRole('button', { name: 'Quick replies' }))
    await expectAccessible(container)
  })
})

describe('the budget of a text', () => {
  it('is stated in the unit of the channel', () => {
    expect(textBudget('😀😀', aComposer())).toEqual({ used: 4, max: 100, unit: 'utf16', parts: 1 })
    expect(textBudget('', aComposer())).toMatchObject({ used: 0, parts: 0 })
    expect(textBudget('x', aComposer({ content: {} }))).toBeNull()
  })

  it('counts quick replies that are too long; empty ones are not sent', () => {
    const limits = { max: 3, title_max: 2, title_unit: 'graphemes' as const }
    expect(badTitles([{ title: 'ok' }, { title: ' ' }, { title: 'long' }], limits)).toEqual([2])
  })
})

describe('a file', () => {
  it.each([
    ['image/png', 900, null],
    ['image/gif', 10, 'mime'],
    ['image/png', 1001, 'size'],
    ['application/pdf', 10, 'kind'],
    ['video/mp4', 9000, null],
  ])('of %s with %i bytes is refused for %s', (type, size, why) => {
    expect(refusalOf({ type, size }, aComposer())?.why ?? null).toBe(why)
  })
})

it('a reply that the feed brought before its answer is not shown twice', () => {
  const item: Outgoing = { key: 'k', threadId: 't1', at: '', after: 1, state: 'sending', due: 0, error: null, text: 'Hi', attachments: [], quickReplies: [], replyTo: null }
  const mine = aMessage({ id: 'm2', position: 2, direction: 'out', author: { kind: 'agent', id: 'ada', name: 'Ada' }, content: { type: 'text', text: 'Hi' } })
  expect(notYetShown([item], [mine], 'ada')).toEqual([])
  expect(notYetShown([item], [{ ...mine, position: 1 }], 'ada')).toEqual([item])
  expect(notYetShown([item], [{ ...mine, author: { kind: 'agent', id: 'bo', name: 'Bo' } }], 'ada')).toEqual([item])
})
