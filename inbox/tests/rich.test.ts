import userEvent from '@testing-library/user-event'
import { screen, waitFor, within } from '@testing-library/vue'
import { describe, expect, it, vi } from 'vitest'

import type { Composer, ReplyPreview, TemplateInfo, ThreadSummary } from '@/api/types'
import ComposerBox from '@/composer/ComposerBox.vue'
import { fieldsAsRich, valuesOf } from '@/composer/fields'
import { areGood, cardsAsRich, cardsOf, faultOf, filledText, matching, placeFrom, richKinds, shapeOf, templateAsRich, type EditedCard } from '@/composer/rich'
import { useDrafts } from '@/state/drafts'
import { useOutgoing } from '@/state/outgoing'
import AssignMenu from '@/thread/AssignMenu.vue'
import MessageTools from '@/thread/MessageTools.vue'

import { aPage, aServer, expectAccessible, json, problem } from './page'
import { aComposer, aMessage, aThread } from './samples'

const LIMITS = { title_max: 5, text_max: 6, buttons_max: 1, button_title_max: 3, button_data_max: 10, cards_max: 2, image: false, links: false, unit: 'graphemes' as const }
const RICH: Composer['content'] = {
  ...aComposer().content,
  card: { level: 'full', card: LIMITS }, carousel: { level: 'full', card: LIMITS }, location: { level: 'full' }, template: { level: 'full' },
}
const PARCEL: TemplateInfo = {
  name: 'parcel', language: 'en_US', category: 'utility', text: 'Parcel {{number}} comes on {{day}}.', usable: true, note: null,
  variables: [{ name: 'number', kind: 'text', place: 'body', example: null, max_length: 3 }, { name: 'day', kind: 'text', place: 'body', example: 'Monday', max_length: null }],
}
const CARD: EditedCard = { title: 'Shoe', text: 'Red', image: null, buttons: [{ title: 'Buy', opens: false, value: '' }] }

describe('what can be put in', () => {
  it('is what the channel carries as what it is', () => {
    expect(richKinds(aComposer({ content: RICH }))).toEqual(['card', 'carousel', 'location', 'template'])
    expect(richKinds(aComposer({ content: { ...RICH, card: { level: 'fallback', becomes: 'text' }, template: { level: 'rejected' } } }))).toEqual(['carousel', 'location'])
    expect(richKinds(aComposer())).toEqual([])
  })

  it('fits the shape of the channel, counted in its unit', () => {
    const shape = shapeOf(LIMITS, 'card')
    expect(areGood([CARD], shape)).toBe(true)
    expect(areGood([{ ...CARD, title: '👨‍👩‍👧‍👦'.repeat(5) }], shape)).toBe(true)
    expect(areGood([{ ...CARD, title: '👨‍👩‍👧‍👦'.repeat(6) }], shape)).toBe(false)
    expect(areGood([{ ...CARD, text: 'too long' }], shape)).toBe(false)
    expect(areGood([{ ...CARD, buttons: [...CARD.buttons, ...CARD.buttons] }], shape)).toBe(false)
    expect(areGood([{ ...CARD, title: ' ' }], shape)).toBe(false)
    expect(areGood([CARD, CARD], shape)).toBe(false)
    expect(areGood([CARD, CARD, CARD], shapeOf(LIMITS, 'carousel'))).toBe(false)
  })

  it('becomes what the server takes, and the form again', () => {
    const rich = cardsAsRich([CARD], 'card')
    expect(rich.sent).toEqual({ type: 'card', title: 'Shoe', text: 'Red', buttons: [{ title: 'Buy', data: 'Buy' }] })
    expect(cardsOf(rich.shown)).toEqual([{ ...CARD, buttons: [{ title: 'Buy', opens: false, value: 'Buy' }] }])
    expect(cardsAsRich([CARD, CARD], 'carousel').sent.type).toBe('carousel')
  })

  it('is a link or a contact card as soon as what it needs is there', () => {
    expect(fieldsAsRich('link', { url: 'shop' })).toBeNull()
    const link = fieldsAsRich('link', { url: ' https://shop.example/42 ', title: 'Shoe' })
    expect(link?.sent).toEqual({ type: 'link', url: 'https://shop.example/42', title: 'Shoe', text: null })
    expect(valuesOf(link?.shown ?? null)).toEqual({ url: 'https://shop.example/42', title: 'Shoe', text: '' })
    expect(fieldsAsRich('contacts', { name: 'Bo' })).toBeNull()
    const card = fieldsAsRich('contacts', { name: 'Bo', phone: '+49 30 1', organization: 'Shop' })
    expect(card?.sent).toEqual({ type: 'contacts', people: [{ name: 'Bo', phones: ['+49 30 1'], emails: [], organization: 'Shop' }] })
    expect(valuesOf(card?.shown ?? null)).toEqual({ name: 'Bo', phone: '+49 30 1', email: '', organization: 'Shop' })
  })

  it.each([
    ['35.6586, 139.7454', { latitude: 35.6586, longitude: 139.7454 }],
    ['-33.86 151.2', { latitude: -33.86, longitude: 151.2 }],
    ['95, 10', null],
    ['nowhere', null],
  ])('reads %s as a place', (text, place) => {
    expect(placeFrom(text)).toEqual(place)
  })
})

describe('templates', () => {
  it('are found by all the words', () => {
    const other = { ...PARCEL, name: 'greeting', text: 'Hello', category: '' }
    expect(matching([PARCEL, other], 'PARCEL comes').map(({ name }) => name)).toEqual(['parcel'])
    expect(matching([PARCEL, other], '')).toHaveLength(2)
  })

  it('show blanks until they are filled, and refuse what is too long', () => {
    expect(filledText(PARCEL, { number: 'A1', day: '' })).toBe('Parcel A1 comes on {{day}}.')
    const [number] = PARCEL.variables
    if (!number) throw new Error('the sample has a variable')
    expect([faultOf(number, ''), faultOf(number, 'A-17'), faultOf(number, 'A1')]).toEqual(['missing', 'long', null])
    expect(templateAsRich(PARCEL, { number: ' A1 ', day: 'Monday' }, {}).sent).toEqual({ type: 'template', name: 'parcel', language: 'en_US', variables: { number: 'A1', day: 'Monday' } })
  })
})

const aBox = (composer: Composer = aComposer({ content: RICH }), thread: ThreadSummary = aThread()) => aPage(ComposerBox, { thread, composer })

function aPreview(change: Partial<ReplyPreview> = {}): ReplyPreview {
  const part = { type: 'text' as const, text: 'What arrives' }
  return {
    requests: [{ message: 1, parts: [part], quick_replies: [], level: 'fallback', notes: ['Only words.'], cost: 'quota', refusal: null }],
    level: 'fallback', window: { open: true, expires_at: null, before: 5, after: 0, afterwards: 'template' }, quota_before: 9, quota_after: 8, refusals: [], ...change,
  }
}

describe('the composer', () => {
  it('offers nothing that the channel has not', async () => {
    aServer({})
    await aBox(aComposer())
    expect(screen.queryByRole('button', { name: 'Insert' })).toBeNull()
  })

  it('sends a card after the text, and puts it back when it is refused', async () => {
    const { asked } = aServer({ 'POST /threads/t1/messages': () => problem(422, 'card_too_long', 'The title of the card is too long.') })
    await aBox()
    useDrafts().of('t1').rich = cardsAsRich([CARD], 'card')
    await userEvent.type(screen.getByRole('textbox', { name: /Reply on/u }), 'Look{Enter}')
    expect((await screen.findByRole('alert')).textContent).toContain('The title of the card is too long.')
    expect(asked[0]?.body).toEqual({ text: 'Look', content: cardsAsRich([CARD], 'card').sent })
    expect(useDrafts().of('t1').rich?.sent.type).toBe('card')
    expect(useOutgoing().all).toEqual([])
  })

  it('shows what the server says that the channel will carry', async () => {
    const { asked } = aServer({ 'POST /threads/t1/preview': () => json(aPreview()) })
    const { container } = await aBox()
    await userEvent.type(screen.getByRole('textbox', { name: /Reply on/u }), 'Hello')
    await userEvent.click(screen.getByRole('button', { name: 'See what the channel will carry' }))
    const panel = await screen.findByRole('region', { name: 'What Sample Chat will carry' })
    await within(panel).findByText('What arrives')
    expect(panel.textContent).toContain('Only words.')
    expect(panel.textContent).toContain('Replies left: 5, then 0. Only approved templates go out now.')
    expect(panel.textContent).toContain('quota 9, then 8')
    expect(asked.at(-1)?.body).toEqual({ text: 'Hello' })
    await expectAccessible(container)
  })

  it('says in words why a reply would not go out', async () => {
    const refusal = { code: 'window_closed', text: 'The reply window is over.', field: null }
    const [request] = aPreview().requests
    if (!request) throw new Error('the sample has a request')
    aServer({ 'POST /threads/t1/preview': () => json(aPreview({ requests: [{ ...request, cost: null, refusal }], refusals: [refusal] })) })
    await aBox()
    await userEvent.type(screen.getByRole('textbox', { name: /Reply on/u }), 'Late')
    await userEvent.click(screen.getByRole('button', { name: 'See what the channel will carry' }))
    await screen.findByText('The reply window is over.')
    expect(screen.getByText('This will not go out as it is.')).toBeTruthy()
  })

  it('offers templates when the window is over and they are left', async () => {
    aServer({ 'GET /accounts/shop/templates': () => json({ items: [PARCEL], next_cursor: null }) })
    const window = { open: false, expires_at: null, remaining: null, afterwards: 'template' as const, reason: 'window_closed' }
    await aBox(aComposer({ content: RICH }), aThread({ window }))
    await userEvent.click(screen.getByRole('button', { name: 'Choose a template' }))
    await userEvent.click(await screen.findByRole('button', { name: /parcel/u }))
    await userEvent.type(await screen.findByRole('textbox', { name: 'number' }), 'A1')
    await userEvent.type(screen.getByRole('textbox', { name: 'day' }), 'Monday')
    expect(screen.getByText('Parcel A1 comes on Monday.')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Insert' }))
    expect(useDrafts().of('t1').rich?.sent).toEqual({ type: 'template', name: 'parcel', language: 'en_US', variables: { number: 'A1', day: 'Monday' } })
  })

  it('tells that the budget is spent, not that the time is over', async () => {
    aServer({})
    const window = { open: false, expires_at: null, remaining: 0, afterwards: 'nothing' as const, reason: 'budget_spent' }
    await aBox(aComposer(), aThread({ window }))
    expect(screen.getByText(/are used up/u).textContent).not.toContain('The time for replies is over')
  })
})

describe('messages that are there', () => {
  it('say what the platform answered to a reaction', async () => {
    aServer({ 'PUT /messages/m1/reaction': () => problem(409, 'refused_by_platform', 'The platform did not take it. It says: too old') })
    await aPage(MessageTools, { message: aMessage(), extras: ['reactions_out'] })
    await userEvent.click(screen.getByRole('button', { name: 'React' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: '👍' }))
    expect((await screen.findByRole('alert')).textContent).toContain('too old')
  })

  it('are taken back only when they are ours, arrived, and the channel can', async () => {
    aServer({})
    const ours = aMessage({ direction: 'out', delivery_state: 'sent' })
    for (const [message, extras] of [[ours, []], [aMessage(), ['recall']], [{ ...ours, delivery_state: 'queued' }, ['recall']]] as const) {
      const page = await aPage(MessageTools, { message, extras })
      expect(screen.queryByRole('button', { name: 'Take back' })).toBeNull()
      page.unmount()
    }
    await aPage(MessageTools, { message: ours, extras: ['recall'] })
    expect(screen.getByRole('button', { name: 'Take back' })).toBeTruthy()
  })
})

describe('assigning', () => {
  const agent = (n: number) => ({ id: `a${n}`, name: `Agent ${n}`, email: `a${n}@shop.example`, role: 'agent', enabled: true })

  it('finds agents of every page', async () => {
    const pages = [Array.from({ length: 100 }, (_none, n) => agent(n)), [{ ...agent(100), name: 'Zofia' }]]
    let asked = 0
    aServer({ 'GET /agents': () => json({ items: pages[asked], next_cursor: asked++ === 0 ? 'more' : null }) })
    const assign = vi.fn()
    await aPage(AssignMenu, { assignee: null, busy: false, onAssign: assign })
    await userEvent.click(screen.getByRole('button', { name: /Unassigned/u }))
    const box = await screen.findByRole('searchbox', { name: 'Search agents' })
    await userEvent.type(box, 'zof')
    await waitFor(() => { expect(screen.queryByRole('menuitem', { name: /Agent/u })).toBeNull() })
    await userEvent.click(screen.getByRole('menuitem', { name: /Zofia/u }))
    expect(assign).toHaveBeenCalledWith('a100')
  })
})
