import userEvent from '@testing-library/user-event'
import { screen, waitFor } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'

import SearchPage from '@/pages/SearchPage.vue'
import { markedRuns } from '@/text/marks'
import { filterOf, queryOf } from '@/threads/address'
import { FIRST_FILTER } from '@/live/state'

import { aPage, aServer, expectAccessible, json, problem } from './page'
import { aThread } from './samples'

const found = {
  contacts: [{ contact: { id: 'c1', name: 'Kim Parcel', avatar: null }, threads: 2, thread: aThread(), marks: [[4, 10]] }],
  messages: [{
    message_id: 'm7', position: 7, at: '2026-11-21T10:00:00.000Z', direction: 'in', author: { kind: 'contact', id: 'c1', name: 'Kim' },
    snippet: '😀 my <b>parcel</b>', marks: [[8, 14]], thread: aThread(),
  }],
  next_cursor: null, indexed_upto: 9,
}

describe('marks', () => {
  it('count what a reader counts, and never become markup', () => {
    expect(markedRuns('😀 parcel', [[2, 8]])).toEqual([{ text: '😀 ', marked: false }, { text: 'parcel', marked: true }])
  })

  it('that make no sense are passed over', () => {
    expect(markedRuns('abc', [[2, 9], [1, 1], [0, 2], [1, 3]])).toEqual([{ text: 'ab', marked: true }, { text: 'c', marked: false }])
  })
})

describe('the search', () => {
  it('shows what was found, marked, and leads to the message', async () => {
    const { asked } = aServer({ 'GET /search': () => json(found) })
    const { container, router } = await aPage(SearchPage, {}, '/search')
    await userEvent.type(screen.getByRole('searchbox'), 'parcel')
    const marks = await waitFor(() => {
      const all = [...container.querySelectorAll('mark')].map(({ textContent }) => textContent)
      expect(all).toHaveLength(2)
      return all
    })
    expect(marks).toEqual(['Parcel', 'parcel'])
    expect(container.textContent).toContain('my <b>parcel</b>')
    await expectAccessible(container)
    await waitFor(() => { expect(router.currentRoute.value.query['q']).toBe('parcel') })
    await userEvent.keyboard('{ArrowDown}{ArrowDown}{Enter}')
    await waitFor(() => { expect(router.currentRoute.value.query).toEqual({ message: 'm7', position: '7' }) })
    expect(asked.filter(({ path }) => path === '/search')).toHaveLength(1)
  })

  it('offers older messages when nothing was found, and tries again after a failure', async () => {
    let fails = true
    aServer({ 'GET /search': () => (fails ? problem(503, 'store_unavailable', 'The database is busy.') : json({ ...found, contacts: [], messages: [] })) })
    await aPage(SearchPage, {}, '/search?q=nothing')
    await screen.findByText('The database is busy.')
    fails = false
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await screen.findByText('Nothing found for “nothing”')
    await userEvent.click(screen.getByRole('button', { name: 'Search older messages too' }))
    await waitFor(() => { expect(screen.queryByRole('button', { name: 'Search older messages too' })).toBeNull() })
  })
})

describe('the filter in the address', () => {
  it.each([
    [{}, FIRST_FILTER],
    [{ view: 'mine', state: 'closed', account: 'shop' }, { ...FIRST_FILTER, view: 'mine', state: 'closed', account: 'shop' }],
    [{ view: 'everybody', state: 'odd', channel: ['a', 'b'] }, FIRST_FILTER],
  ] as const)('%j means %j', (query, filter) => {
    expect(filterOf(query as never)).toEqual(filter)
  })

  it('names only what is not as at first', () => {
    expect(queryOf({ ...FIRST_FILTER, channel: 'sample' })).toEqual({ channel: 'sample' })
    expect(queryOf(FIRST_FILTER)).toEqual({})
  })
})
