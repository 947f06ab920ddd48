import { screen } from '@testing-library/vue'
import { beforeEach, describe, expect, it } from 'vitest'
import { createPinia, setActivePinia } from 'pinia'
import { nextTick } from 'vue'

import { setClock } from '@/clock'
import type { Moment } from '@/live/events'
import { useInbox } from '@/state/inbox'
import { usePresence } from '@/state/presence'
import TypingLine from '@/thread/TypingLine.vue'
import WhoIsHere from '@/thread/WhoIsHere.vue'

import { aPage, expectAccessible } from './page'
import { aMessage } from './samples'

const NOW = Date.parse('2026-11-21T10:00:00.000Z')
const BO = { kind: 'agent', id: 'bo', name: 'Bo' }
const KIM = { kind: 'contact', id: 'c1', name: 'Kim' }
const sign = (change: Partial<Moment> = {}): Moment => ({ type: 'moment', kind: 'viewing', thread_id: 't1', actor: BO, ttl_s: 20, ...change })
const told = (...moments: Moment[]) => { for (const moment of moments) useInbox().moment = moment }
const kinds = () => usePresence().inThread('t1').map(({ kind, actor }) => `${actor.id ?? ''} ${kind}`)

describe('signs of others', () => {
  beforeEach(() => {
    setClock(() => NOW)
    setActivePinia(createPinia())
    useInbox().start('ada', () => Promise.resolve(0))
    usePresence()
  })

  it('are shown in their thread, and ours are not', () => {
    told(sign(), sign({ actor: { ...BO, id: 'ada' } }), sign({ thread_id: 't2' }))
    expect(kinds()).toEqual(['bo viewing'])
  })

  it('of typing stand for those of looking', () => {
    told(sign(), sign({ kind: 'typing', ttl_s: 6 }))
    expect(kinds()).toEqual(['bo typing'])
  })

  it('end when they say so, by themselves, and with what was written', () => {
    told(sign(), sign({ kind: 'left', ttl_s: 0 }))
    expect(kinds()).toEqual([])
    told(sign({ kind: 'typing', actor: KIM, ttl_s: 6 }))
    useInbox().arrivals = [aMessage()]
    return nextTick().then(() => { expect(kinds()).toEqual([]) })
  })

  it('are what a new connection says, and no others', () => {
    told(sign({ actor: { ...BO, id: 'cleo' } }))
    useInbox().moment = { type: 'present', items: [sign()] }
    expect(kinds()).toEqual(['bo viewing'])
  })

  it('of kinds that are not known yet change nothing', () => {
    told(sign({ kind: 'waving' }))
    expect(kinds()).toEqual([])
  })
})

describe('the thread', () => {
  it('says who is there and who types', async () => {
    const { container } = await aPage(WhoIsHere, { threadId: 't1' })
    told(sign(), sign({ kind: 'typing', actor: { ...BO, id: 'cleo', name: 'Cleo' }, ttl_s: 6 }))
    expect((await screen.findByText('Cleo is typing…')).textContent).toBeTruthy()
    expect(screen.getByRole('status').textContent).toContain('Bo is looking at this thread')
    await expectAccessible(container)
  })

  it('says that the customer types', async () => {
    await aPage(TypingLine, { threadId: 't1', contactName: 'Kim' })
    expect(screen.getByRole('status').textContent.trim()).toBe('')
    told(sign({ kind: 'typing', actor: KIM, ttl_s: 6 }))
    expect(await screen.findByText('Kim is typing…')).toBeTruthy()
  })
})
