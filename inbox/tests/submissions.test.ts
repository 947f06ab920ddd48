import userEvent from '@testing-library/user-event'
import { screen, waitFor, within } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'

import type { FormQuestion, MatrixRow, SubmissionSetting } from '@/api/types'
import { useInbox } from '@/state/inbox'
import { useSession } from '@/state/session'
import { enabledFrom, heldBy, switchFrom } from '@/submissions/choices'
import { aQuestion, faultsOf, fieldsFrom, keyFor, moved, questionsFrom, wordsIn } from '@/submissions/questions'
import SubmissionSettings from '@/submissions/SubmissionSettings.vue'

import { aPage, aServer, expectAccessible, json, problem, type Asked, type Page } from './page'

function aRow(serial: number | null, channel: string, modes: MatrixRow['modes']): MatrixRow {
  const dimensions: MatrixRow['dimensions'] = modes.length > 0 ? ['channel', 'group'] : []
  return { serial, channel, title: { en: channel.toUpperCase(), pl: `${channel} po polsku` }, modes, dimensions, min_client_version: channel === 'app' ? { group: '3.0.3' } : {}, ticket_reply: false, prompt_limit: null }
}

const TABLE = [aRow(1, 'site', ['offline_message', 'ticket']), aRow(3, 'app', ['offline_message', 'ticket']), aRow(4, 'letters', ['ticket']), aRow(8, 'birds', []), aRow(null, 'smoke', [])]
const USUAL: FormQuestion[] = [
  { key: 'name', label: { en: 'Your name', pl: 'Imię' } },
  { key: 'message', kind: 'textarea', label: { en: 'Your message', pl: 'Wiadomość' }, required: true },
]
const LEFT = { enabled: null, mode: null, dimension: null, fields: null, notice: null }

interface Place { scope: string; scope_id: string; setting: SubmissionSetting }

function aHouse(items: readonly Place[] = [], put?: (asked: Asked) => Response): ReturnType<typeof aServer> {
  const account = (id: string, channel: string) => ({ id, connector: channel, channel, title: `My ${id}`, state: 'connected', reason: null, locked: false })
  const putting = (scope: string, id: string) => put ?? (({ body }: Asked) => json({ scope, scope_id: id, setting: body }))
  return aServer({
    'GET /submissions/matrix': () => json({ items: TABLE, next_cursor: null }),
    'GET /submissions/settings': () => json({ items, next_cursor: null, default_fields: USUAL }),
    'GET /accounts': () => json({ items: [account('shop', 'site'), account('box', 'letters'), account('nest', 'birds')], next_cursor: null }),
    'GET /channels': () => json({ items: [], next_cursor: null }),
    'PUT /submissions/settings/deployment/all': putting('deployment', 'all'),
    'PUT /submissions/settings/account/box': putting('account', 'box'),
    'PUT /submissions/settings/group/bicycles': putting('group', 'bicycles'),
  })
}

async function opened(at: string, role: 'admin' | 'agent' = 'admin'): Promise<Page> {
  const page = await aPage(SubmissionSettings, {}, `/settings/submissions${at}`)
  useSession().agent = { id: 'ada', name: 'Ada', email: 'ada@shop.example', role, enabled: true }
  return page
}

const save = () => userEvent.click(screen.getByRole('button', { name: 'Save' }))
const labels = (): string[] => screen.getAllByRole<HTMLInputElement>('textbox', { name: /^Question/u }).map(({ value }) => value)

describe('questions', () => {
  it('come back as they were, and new ones get a key of their own', () => {
    expect(fieldsFrom(questionsFrom(USUAL)).map(({ key, label, required }) => ({ key, label, required }))).toEqual([
      { key: 'name', label: USUAL[0]?.label, required: false }, { key: 'message', label: USUAL[1]?.label, required: true },
    ])
    const [mine, theirs] = [{ ...aQuestion(), label: { en: ' Name ', pl: '' } }, { ...aQuestion(), label: { en: 'Name' } }]
    expect(fieldsFrom([...questionsFrom(USUAL), mine, theirs]).map(({ key }) => key)).toEqual(['name', 'message', 'name_2', 'name_3'])
    expect(fieldsFrom([mine])[0]?.label).toEqual({ en: 'Name' })
  })

  it.each([['Order number', 'order_number'], ['3 wishes?', 'wishes'], ['订单', 'question'], ['E-mail', 'e_mail'], ['x'.repeat(60), 'x'.repeat(36)]])('are stored under a key made of %s', (words, key) => {
    expect(keyFor(words, new Set())).toBe(key)
  })

  it('keep only what their kind has', () => {
    const list = { ...aQuestion(), kind: 'select' as const, label: { en: 'Size' }, options: ' S \n\nM', placeholder: { en: 'S' }, most: 4 }
    expect(fieldsFrom([list])[0]).toMatchObject({ options: ['S', 'M'], placeholder: {}, max_length: 4000 })
    expect(fieldsFrom([{ ...list, kind: 'text' }])[0]).toMatchObject({ options: [], placeholder: { en: 'S' }, max_length: 4 })
  })

  it('say what is missing, and of which of them', () => {
    const [blank, empty] = [aQuestion(), { ...aQuestion(), kind: 'select' as const, label: { en: 'Size' } }]
    expect([...faultsOf([blank, empty])]).toEqual([[blank.id, 'noEnglish'], [empty.id, 'noOptions'], [null, 'noneRequired']])
    expect(faultsOf(questionsFrom(USUAL)).size).toBe(0)
  })

  it('are moved by one place', () => {
    const three = [aQuestion(), aQuestion(), aQuestion()]
    const [a, b, c] = three
    expect(moved(three, 0, 1)).toEqual([b, a, c])
    expect(moved(three, 2, -1)).toEqual([a, c, b])
  })

  it('speak the language of the page, else English', () => {
    expect([wordsIn({ en: 'Name', pl: 'Imię' }, 'pl'), wordsIn({ en: 'Name', pl: '' }, 'pl'), wordsIn({ de: 'Name' }, 'pl'), wordsIn({}, 'pl')]).toEqual(['Imię', 'Name', 'Name', ''])
  })
})

describe('what holds for an account', () => {
  const takes = (modes: MatrixRow['modes']) => aRow(1, 'any', modes)

  it.each([
    [{}, {}, ['offline_message', 'ticket'] as const, { enabled: false, mode: 'offline_message', dimension: 'channel' }],
    [{}, { enabled: true, mode: 'ticket', dimension: 'group' }, ['offline_message', 'ticket'] as const, { enabled: true, mode: 'ticket', dimension: 'group' }],
    [{ enabled: false, mode: 'ticket' }, { enabled: true }, ['offline_message', 'ticket'] as const, { enabled: false, mode: 'ticket', dimension: 'channel' }],
    [{}, { enabled: true, mode: 'offline_message' }, ['ticket'] as const, { enabled: true, mode: 'ticket', dimension: 'channel' }],
  ])('of %j under %j is what the server decides', (own, all, modes, held) => {
    expect(heldBy(own as SubmissionSetting, all as SubmissionSetting, takes([...modes]))).toEqual(held)
  })

  it('is on, off, or left open', () => {
    expect([true, false, null, undefined].map(switchFrom).map(enabledFrom)).toEqual([true, false, null, null])
  })
})

describe('the page', () => {
  it('shows the table of the API: four columns, in the order of the serial numbers', async () => {
    aHouse()
    const { container } = await opened('')
    const table = await screen.findByRole('table')
    expect(within(table).getAllByRole('columnheader').map(({ textContent }) => textContent)).toEqual(['No.', 'Channel', 'Supported mode', 'Setting dimension'])
    const rows = within(table).getAllByRole('row').slice(1)
    expect(rows.map((row) => [...row.children].map(({ textContent }) => textContent?.replace(/\s+/gu, ' ').trim()))).toEqual([
      ['1', 'SITE', 'Offline messageTicket', 'By channel By skill group'],
      ['3', 'APP', 'Offline messageTicket', 'By channel By skill group (SDK 3.0.3 and above)'],
      ['4', 'LETTERS', 'Ticket', 'By channel By skill group'],
      ['8', 'BIRDS', 'None', 'None'],
    ])
    expect(screen.getByText(/take no forms: SMOKE\./u)).toBeTruthy()
    await expectAccessible(container)
  })

  it('lists for whom forms are set, and what holds there', async () => {
    aHouse([{ scope: 'deployment', scope_id: 'all', setting: { enabled: true } }, { scope: 'account', scope_id: 'box', setting: { dimension: 'group' } }, { scope: 'group', scope_id: 'bicycles', setting: { mode: 'ticket' } }])
    await opened('')
    const told = (await screen.findAllByRole('listitem')).map(({ textContent }) => textContent?.replace(/\s+/gu, ' ').trim() ?? '').filter((text) => /All acc|My|bicycles/u.test(text))
    expect(told).toEqual(['All accounts On', 'LEMy box LETTERS · On · Ticket · By skill groupOwn setting', 'SIMy shop SITE · On · Offline message · By channel', 'bicycles Skill group · Ticket'])
    expect(screen.getByText('Their channels take no forms: My nest.')).toBeTruthy()
  })

  it('tells why it could not be loaded and tries again', async () => {
    let tries = 0
    aServer({
      'GET /submissions/matrix': () => (++tries === 1 ? problem(503, 'busy', 'The database is busy.') : json({ items: TABLE, next_cursor: null })),
      'GET /submissions/settings': () => json({ items: [], next_cursor: null, default_fields: USUAL }),
      'GET /accounts': () => json({ items: [], next_cursor: null }), 'GET /channels': () => json({ items: [], next_cursor: null }),
    })
    await opened('')
    expect(screen.getByRole('status').textContent).toContain('Loading the settings of forms')
    await screen.findByText('The database is busy.')
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await screen.findByRole('table')
  })

  it('leads to a group that is named', async () => {
    aHouse()
    const { router } = await opened('')
    await userEvent.type(await screen.findByRole('textbox', { name: 'Name of a skill group' }), 'bicycles{Enter}')
    await waitFor(() => { expect(router.currentRoute.value.fullPath).toBe('/settings/submissions/group/bicycles') })
  })
})

describe('the setting for all accounts', () => {
  it('says nothing of what is left open', async () => {
    const { asked } = aHouse()
    const { container } = await opened('/deployment')
    await userEvent.selectOptions(await screen.findByRole('combobox', { name: 'Leave-a-message form' }), 'On')
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Mode' }), 'Ticket')
    await save()
    await screen.findByText(/^Saved\./u)
    expect(asked.at(-1)).toMatchObject({ path: '/submissions/settings/deployment/all', body: { ...LEFT, enabled: true, mode: 'ticket' } })
    expect(asked.at(-1)?.key).not.toBeNull()
    await expectAccessible(container)
  })

  it('asks questions of its own: added, required, in another order, in another language', async () => {
    const { asked } = aHouse()
    const { container } = await opened('/deployment')
    await userEvent.click(await screen.findByRole('radio', { name: 'Own questions' }))
    await userEvent.click(screen.getByRole('button', { name: 'Add a question' }))
    await waitFor(() => { expect(labels()).toEqual(['Your name', 'Your message', '']) })
    expect(document.activeElement).toBe(screen.getAllByRole('textbox', { name: /^Question/u })[2])
    await userEvent.keyboard('Order number')
    await userEvent.click(screen.getAllByRole('checkbox', { name: 'Must be answered' })[2] as HTMLElement)
    await userEvent.click(screen.getByRole('button', { name: 'Move up: Order number' }))
    expect(labels()).toEqual(['Your name', 'Order number', 'Your message'])
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Move up: Order number')
    await userEvent.click(screen.getByRole('button', { name: 'Remove: Your name' }))
    await userEvent.click(screen.getByRole('radio', { name: 'Polski' }))
    expect(labels()).toEqual(['', 'Wiadomość'])
    await userEvent.type(screen.getAllByRole('textbox', { name: /^Question/u })[0] as HTMLElement, 'Numer')
    await userEvent.type(screen.getByRole('textbox', { name: /Said above/u }), 'Do jutra')
    await expectAccessible(container)
    await save()
    await screen.findByText(/^Saved\./u)
    expect((asked.at(-1)?.body as SubmissionSetting).fields).toEqual([
      { key: 'order_number', kind: 'text', required: true, label: { en: 'Order number', pl: 'Numer' }, placeholder: {}, options: [], max_length: 4000 },
      { key: 'message', kind: 'textarea', required: true, label: USUAL[1]?.label, placeholder: {}, options: [], max_length: 4000 },
    ])
    expect((asked.at(-1)?.body as SubmissionSetting).notice).toEqual({ pl: 'Do jutra' })
  })

  it('is not sent while something is missing, and leads to what it is', async () => {
    const { asked } = aHouse()
    const { container } = await opened('/deployment')
    await userEvent.click(await screen.findByRole('radio', { name: 'Own questions' }))
    await userEvent.click(screen.getByRole('button', { name: 'Add a question' }))
    await userEvent.click(screen.getAllByRole('checkbox', { name: 'Must be answered' })[1] as HTMLElement)
    await userEvent.click(screen.getByRole('radio', { name: 'Polski' }))
    await save()
    await screen.findByText(/Not saved/u)
    expect(screen.getByText(/At least one question has to be answered/u)).toBeTruthy()
    await waitFor(() => { expect(document.activeElement).toBe(screen.getAllByRole('textbox', { name: /^Question/u })[2]) })
    expect(document.activeElement?.getAttribute('aria-invalid')).toBe('true')
    expect(labels()).toEqual(['Your name', 'Your message', ''])
    expect(asked.filter(({ method }) => method === 'PUT')).toEqual([])
    await expectAccessible(container)
  })
})

describe('the setting of an account', () => {
  it('offers what its channel takes, and names what holds when nothing is chosen', async () => {
    aHouse([{ scope: 'deployment', scope_id: 'all', setting: { enabled: true, mode: 'offline_message' } }])
    await opened('/account/box')
    const options = within(await screen.findByRole('combobox', { name: 'Mode' })).getAllByRole<HTMLOptionElement>('option')
    expect(options.map(({ textContent, disabled }) => [textContent, disabled])).toEqual([['As for all accounts (Ticket)', false], ['Offline message (not on this channel)', true], ['Ticket', false]])
  })

  it.each([
    ['submission_mode_unsupported', 'This channel takes ticket.', 'This channel does not take that mode. It takes: Ticket.'],
    ['setting_dimension_unsupported', 'This channel is set by channel.', 'This channel cannot be set that way. It can be set: By channel, By skill group.'],
    ['unknown_scope', 'There is no such account.', 'This account is not there any more.'],
    ['invalid', 'The server found something else.', 'The server found something else.'],
  ])('that is refused as %s says why in the reader\'s words', async (code, detail, words) => {
    aHouse([{ scope: 'account', scope_id: 'box', setting: { mode: 'ticket', dimension: 'group' } }], () => problem(code === 'unknown_scope' ? 404 : 422, code, detail))
    await opened('/account/box')
    await screen.findByRole('combobox', { name: 'Mode' })
    await save()
    expect((await screen.findByRole('alert')).textContent).toContain(words)
  })

  it('puts the refusal beside the choice that it is about', async () => {
    const told = { type: 'about:blank', title: 'no', status: 422, code: 'submission_mode_unsupported', detail: 'no', errors: [{ field: 'mode', message: 'no' }] }
    aHouse([], () => json(told, 422))
    await opened('/account/box')
    await screen.findByRole('combobox', { name: 'Mode' })
    await save()
    await screen.findByRole('alert')
    const mode = screen.getByRole('combobox', { name: 'Mode' })
    expect([mode.getAttribute('aria-invalid'), screen.getByRole('combobox', { name: 'Setting dimension' }).getAttribute('aria-invalid')]).toEqual(['true', null])
    expect(document.getElementById(mode.getAttribute('aria-describedby') ?? '')?.textContent).toContain('It takes: Ticket.')
  })

  it('that takes no forms says so and offers nothing', async () => {
    aHouse()
    await opened('/account/nest')
    await screen.findByText('This channel takes no leave-a-message forms, in neither mode.')
    expect(screen.queryByRole('button', { name: 'Save' })).toBeNull()
  })
})

describe('the setting of a group', () => {
  it('is its mode and nothing else', async () => {
    const { asked } = aHouse()
    await opened('/group/bicycles')
    await userEvent.selectOptions(await screen.findByRole('combobox', { name: 'Mode' }), 'Offline message')
    expect(screen.getAllByRole('combobox')).toHaveLength(1)
    await save()
    await screen.findByText(/^Saved\./u)
    expect(asked.at(-1)?.body).toEqual({ mode: 'offline_message' })
  })
})

describe('somebody who is no admin', () => {
  it('sees everything and changes nothing', async () => {
    aHouse([{ scope: 'deployment', scope_id: 'all', setting: { enabled: true, fields: [...USUAL, { key: 'order', label: { en: 'Order number' }, required: true }] } }])
    const { container, router } = await opened('', 'agent')
    await screen.findByRole('table')
    expect(screen.queryByRole('textbox', { name: 'Name of a skill group' })).toBeNull()
    await router.push('/settings/submissions/deployment')
    for (const choice of await screen.findAllByRole<HTMLSelectElement>('combobox')) expect(choice.disabled).toBe(true)
    expect(screen.getByText('Order number')).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Save' })).toBeNull()
    expect(screen.getByRole<HTMLInputElement>('textbox', { name: /Said above/u }).readOnly).toBe(true)
    expect(useInbox().state.accounts.size).toBe(3)
    await expectAccessible(container)
  })
})
