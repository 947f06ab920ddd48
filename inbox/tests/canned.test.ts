import userEvent from '@testing-library/user-event'
import { screen, waitFor, within } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'

import type { CannedReply } from '@/api/types'
import { fill, meant, slashAt } from '@/composer/canned'
import ComposerBox from '@/composer/ComposerBox.vue'
import CannedSettings from '@/settings/CannedSettings.vue'

import { aPage, aServer, expectAccessible, json, problem } from './page'
import { aComposer, aThread } from './samples'

const reply = (change: Partial<CannedReply> = {}): CannedReply => ({
  id: 'r1', shortcut: 'hello', title: 'Greeting', text: 'Hello {{contact.name}}, I am {{agent.name}}.', shared: true, owner_id: 'ada',
  updated_at: '2026-11-21T10:00:00.000Z', ...change,
})
const PARCEL = reply({ id: 'r2', shortcut: 'parcel', title: 'Where it is', text: 'It is on its way.', owner_id: 'bo' })
const LIST = { 'GET /canned-replies': () => json({ items: [reply(), PARCEL], next_cursor: null }) }

describe('a slash', () => {
  it.each([
    ['/', 1, { start: 0, typed: '' }],
    ['Hi /he', 6, { start: 3, typed: 'he' }],
    ['line\n/p', 7, { start: 5, typed: 'p' }],
    ['and/or', 6, null],
    ['https://shop.example/x', 22, null],
    ['/hello there', 12, null],
  ])('in %j before place %i begins %j', (text, caret, expected) => {
    expect(slashAt(text, caret)).toEqual(expected)
  })

  it('offers by shortcut before title before text', () => {
    expect(meant([PARCEL, reply()], 'he').map(({ id }) => id)).toEqual(['r1', 'r2'])
    expect(meant([PARCEL, reply()], 'way').map(({ id }) => id)).toEqual(['r2'])
    expect(meant([PARCEL, reply()], 'nothing of the kind')).toEqual([])
  })
})

it('variables are filled, and stay visible where nothing is known', () => {
  const values = { 'contact.name': 'Kim $& <b>', 'agent.name': '', 'account.title': 'Shop' }
  expect(fill('{{contact.name}}/{{ account.title }}/{{agent.name}}/{{no.such}}', values)).toBe('Kim $& <b>/Shop/{{agent.name}}/{{no.such}}')
})

describe('the composer', () => {
  it('puts a canned reply in place of what was typed, by key', async () => {
    aServer(LIST)
    const { container } = await aPage(ComposerBox, { thread: aThread(), composer: aComposer() })
    const box = screen.getByRole<HTMLTextAreaElement>('textbox')
    await userEvent.type(box, 'So: /')
    const list = await screen.findByRole('listbox')
    expect(within(list).getAllByRole('option')).toHaveLength(2)
    await expectAccessible(container)
    await userEvent.keyboard('{ArrowDown}')
    expect(screen.getByRole('option', { selected: true }).textContent).toContain('parcel')
    await userEvent.keyboard('{ArrowUp}{Enter}')
    await waitFor(() => { expect(box.value).toBe('So: Hello Kim, I am Ada.') })
    expect(screen.queryByRole('listbox')).toBeNull()
  })

  it('leaves the text alone on Esc and stays in the box', async () => {
    aServer(LIST)
    await aPage(ComposerBox, { thread: aThread(), composer: aComposer() })
    const box = screen.getByRole<HTMLTextAreaElement>('textbox')
    await userEvent.type(box, '/he')
    await screen.findByRole('listbox')
    await userEvent.keyboard('{Escape}')
    expect(screen.queryByRole('listbox')).toBeNull()
    expect([box.value, document.activeElement]).toEqual(['/he', box])
  })
})

describe('the page of canned replies', () => {
  it('adds one, with the slash left off and a variable put in', async () => {
    const { asked } = aServer({ ...LIST, 'POST /canned-replies': () => json(reply({ id: 'r3', shortcut: 'bye', title: 'Farewell', text: 'Bye' }), 201) })
    const { container } = await aPage(CannedSettings, {}, '/settings/canned')
    await screen.findByText('Greeting')
    await userEvent.click(screen.getByRole('button', { name: 'New canned reply' }))
    await expectAccessible(container)
    await userEvent.type(screen.getByLabelText('Shortcut'), '/bye')
    await userEvent.type(screen.getByLabelText('Title'), 'Farewell')
    await userEvent.type(screen.getByLabelText('Text'), 'Bye ')
    await userEvent.click(screen.getByRole('button', { name: "Customer's name" }))
    await userEvent.click(screen.getByRole('button', { name: 'Save' }))
    await screen.findByText('Farewell')
    expect(asked.at(-1)?.body).toEqual({ shortcut: 'bye', title: 'Farewell', text: 'Bye {{contact.name}}', shared: false })
  })

  it('tells beside the form why it was refused and keeps what was typed', async () => {
    aServer({ ...LIST, 'POST /canned-replies': () => problem(409, 'shortcut_taken', 'Another reply has this shortcut.') })
    await aPage(CannedSettings, {}, '/settings/canned')
    await userEvent.click(screen.getByRole('button', { name: 'New canned reply' }))
    for (const label of ['Shortcut', 'Title', 'Text']) await userEvent.type(screen.getByLabelText(label), 'x')
    await userEvent.click(screen.getByRole('button', { name: 'Save' }))
    expect((await screen.findByRole('alert')).textContent).toContain('Another reply has this shortcut.')
    expect(screen.getByLabelText<HTMLInputElement>('Shortcut').value).toBe('x')
  })

  it('deletes only after asking, and offers no change of what is another’s', async () => {
    const { asked } = aServer({ ...LIST, 'DELETE /canned-replies/r1': () => new Response(null, { status: 204 }) })
    await aPage(CannedSettings, {}, '/settings/canned')
    await screen.findByText('Greeting')
    expect(screen.queryByRole('button', { name: 'Edit “Where it is”' })).toBeNull()
    await userEvent.click(screen.getByRole('button', { name: 'Edit “Greeting”' }))
    await userEvent.click(screen.getByRole('button', { name: 'Delete' }))
    expect(asked.some(({ method }) => method === 'DELETE')).toBe(false)
    await userEvent.click(screen.getByRole('button', { name: 'Yes: Delete' }))
    await waitFor(() => { expect(screen.queryByText('Greeting')).toBeNull() })
  })
})
