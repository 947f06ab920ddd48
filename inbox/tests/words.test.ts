import { describe, expect, it } from 'vitest'

import type { DeliveryState } from '@/api/types'
import en from '@/i18n/en.json'
import { lookOf, maybeTwice, partsGone, STATES, telling } from '@/words/delivery'
import { hueOf, initials } from '@/words/marks'
import { previewText } from '@/words/preview'
import { countdown, dayLabel, duration, fileSize, shortAge, trackLength } from '@/words/time'

import { aDelivery, aMessage, aThread } from './samples'

const NOW = Date.parse('2026-11-21T12:00:00')
const before = (ms: number) => new Date(NOW - ms).toISOString()
const HOUR = 3_600_000

describe('a delivery', () => {
  it.each([
    ['queued', 'Waiting to be sent'],
    ['sending', 'Being sent'],
    ['retrying', 'Trying again'],
    ['held', 'On hold'],
    ['uncertain', 'Perhaps sent: no answer from the platform'],
    ['sent', 'Sent'],
    ['delivered', 'Delivered'],
    ['read', 'Read'],
    ['failed', 'Not delivered'],
    ['expired', 'Expired before it could be sent'],
    ['suppressed', 'Not sent'],
    ['cancelled', 'Taken back'],
  ] as [DeliveryState, string][])('that is %s is called "%s"', (state, words) => {
    const key = STATES[state].words.split('.')[1] as keyof typeof en.delivery
    expect(en.delivery[key]).toBe(words)
  })

  it('in a state that we do not know is never shown as a success', () => {
    expect(lookOf('teleported')).toMatchObject({ words: 'delivery.unknown', tone: 'warn' })
  })

  it('is explained by the part that failed', () => {
    const failed = aDelivery({ id: 'd2', part: 2, state: 'failed' })
    expect(telling(aMessage({ deliveries: [aDelivery(), failed, aDelivery({ id: 'd3', state: 'held' })] }))).toBe(failed)
  })

  it('in parts tells how many have gone out', () => {
    const deliveries = [aDelivery({ parts: 3 }), aDelivery({ state: 'read', parts: 3 }), aDelivery({ state: 'failed', parts: 3 })]
    expect(partsGone(aMessage({ deliveries }))).toEqual({ gone: 2, all: 3 })
  })

  it('that may have gone out twice says so', () => {
    expect(maybeTwice(aMessage({ deliveries: [aDelivery({ maybe_duplicate: true })] }))).toBe(true)
  })
})

describe('times', () => {
  it('of today are told as an age', () => {
    expect(shortAge(before(4 * 60_000), NOW, 'en')).toBe('4m')
    expect(shortAge(before(3 * HOUR), NOW, 'en')).toBe('3h')
  })

  it('of this week are told as a day, older ones as a date', () => {
    expect(shortAge(before(50 * HOUR), NOW, 'en')).toBe('Thu')
    expect(shortAge('2026-03-02T10:00:00', NOW, 'en-GB')).toBe('2 Mar')
    expect(shortAge('2024-03-02T10:00:00', NOW, 'en-GB')).toBe('2 Mar 2024')
  })

  it('that lie a little ahead, by a clock that differs, are now', () => {
    expect(shortAge(before(-20_000), NOW, 'en')).toBe('0s')
  })

  it('separate the days in the words of the language', () => {
    expect(dayLabel(before(HOUR), NOW, 'en')).toBe('Today')
    expect(dayLabel(before(20 * HOUR), NOW, 'pl')).toBe('Wczoraj')
    expect(dayLabel(before(20 * HOUR), NOW, 'zh-Hant')).toBe('昨天')
  })

  it('that run out are counted more finely near the end', () => {
    expect(countdown(5 * 24 * HOUR, 'en')).toBe('5d')
    expect(countdown(40 * HOUR, 'en')).toBe('40h')
    expect(countdown(23 * HOUR + 10 * 60_000, 'en')).toBe('23h 10m')
    expect(countdown(102_000, 'en')).toBe('1:42')
    expect(duration(-5, 'en')).toBe('0s')
  })
})

it('files and recordings have short measures', () => {
  expect(fileSize(482_113, 'en')).toBe('482.1 kB')
  expect(fileSize(15, 'en')).toBe('15 bytes')
  expect(trackLength(14_200)).toBe('0:14')
})

describe('a mark', () => {
  it.each([['Kasia Nowak', 'KN'], ['ACME', 'AC'], ['林美玲', '林'], ['田中 さくら', '田'], ['x', 'X'], ['', '?'], ['😀 smile', '😀']])('of %s is %s', (name, expected) => {
    expect(initials(name)).toBe(expected)
  })

  it('has the same colour every time and another for another name', () => {
    expect(hueOf('c1')).toBe(hueOf('c1'))
    expect(new Set(['c1', 'c2', 'c3', 'c4'].map(hueOf)).size).toBe(4)
  })
})

describe('a preview', () => {
  const t = (key: string) => key

  it('tells who wrote it when it was us', () => {
    expect(previewText({ author: 'agent', type: 'text', text: 'Hi' }, t)).toBe('list.us Hi')
  })

  it('names the kind where there are no words', () => {
    expect(previewText({ author: 'contact', type: 'image', text: '' }, t)).toBe('kind.image')
    expect(previewText({ ...aThread().preview, author: 'contact', type: 'file', text: 'a.pdf' }, t)).toBe('kind.file · a.pdf')
  })
})
