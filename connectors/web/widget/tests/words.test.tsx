import { render } from 'preact'
import { expect, test } from 'vitest'
import { speak } from '../src/app/more'
import type { Chat } from '../src/app/chat'
import { Text, safe } from '../src/app/text'
import { dayOf, sizeOf } from '../src/app/telling'
import { fill, languageOf, load } from '../src/app/words'
import { inkOn } from '../src/colour'
import en from '../src/words/en'
import more from '../src/words/more/en'

const shown = (text: string): HTMLElement => {
  const box = document.createElement('div')
  render(<Text text={text} />, box)
  return box
}

const loadMore = async (locale: string): Promise<typeof more> => {
  const chat = { locale, parts: {} } as unknown as Chat
  await speak(chat)
  return chat.parts.words as typeof more
}

test.each(['pl', 'zh-Hans', 'zh-Hant'])('%s has every word of English, with the same blanks', async (tag) => {
  const blanks = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()
  for (const [ours, english] of [[await load(tag), en], [await loadMore(tag), more]] as [Record<string, string>, Record<string, string>][]) {
    expect(Object.keys(ours)).toEqual(Object.keys(english))
    for (const [key, text] of Object.entries(english)) expect(blanks(ours[key] ?? '')).toEqual(blanks(text))
  }
  expect([(await load(tag)).send, (await loadMore(tag)).thanks]).not.toContain(en.send)
  expect((await loadMore(tag)).thanks).not.toBe(more.thanks)
})

test.each([['zh-TW', 'zh-Hant'], ['zh', 'zh-Hans'], ['zh-Hant-HK', 'zh-Hant'], ['pl-PL', 'pl'], ['en-GB', 'en'], ['ar', 'en'], ['', 'en']])(
  '%s is answered in %s', (asked, given) => expect(languageOf(asked)).toBe(given))

test('words of the settings replace ours one by one', async () => {
  const words = await load('pl', { greeting: 'Cześć!' })
  expect([words.greeting, words.send]).toEqual(['Cześć!', 'Wyślij'])
  expect(fill('{n} of {missing}', { n: 3 })).toBe('3 of ')
})

test.each([
  '<img src=x onerror=alert(1)>', '[x](javascript:alert(1))', 'javascript:alert(1)', '<a href=javascript:alert(1)>x</a>',
  '[x](data:text/html,<script>1</script>)', '{{constructor}}', 'vbscript:x', '[a](  javascript:alert(1))',
])('%s is only words', (text) => {
  const box = shown(text)
  expect(box.children).toHaveLength(0)
  expect(box.textContent).toBe(text)
})

test('addresses and named links can be opened, and tell nobody where from', () => {
  const box = shown('See https://shop.example/a_b?c=1. Or [our list](https://shop.example/list), or mailto:help@shop.example!')
  const links = [...box.querySelectorAll('a')]
  expect(links.map((one) => one.href)).toEqual(['https://shop.example/a_b?c=1', 'https://shop.example/list', 'mailto:help@shop.example'])
  expect(links.every((one) => one.rel === 'noopener noreferrer nofollow' && one.target === '_blank')).toBe(true)
  expect(box.textContent).toBe('See https://shop.example/a_b?c=1. Or our list, or mailto:help@shop.example!')
})

test.each(['javascript:alert(1)', ' javascript:alert(1)', 'data:text/html,x', 'JAVASCRIPT:x', 'blob:x', '', null])('%s is no address', (url) =>
  expect(safe(url)).toBeUndefined())

test.each(['#000000', '#ffffff', '#1f6feb', '#ffd400', '#777777', '#0f766e', '#c2342b'])('words on %s can be read', (accent) => {
  const light = (hex: string): number => {
    const part = [1, 3, 5].map((at) => parseInt((hex.length === 4 ? hex.replace(/[^#]/g, '$&$&') : hex).slice(at, at + 2), 16) / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)) as [number, number, number]
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]
  }
  const [one, other] = [light(accent), light(inkOn(accent))].sort((a, b) => b - a) as [number, number]
  expect((one + 0.05) / (other + 0.05)).toBeGreaterThanOrEqual(4.5)
})

test('days and sizes are told in the language', () => {
  const today = new Date().toISOString()
  expect(dayOf(today, 'en')).toBe('today')
  expect(dayOf(today, 'pl')).toBe('dzisiaj')
  expect(dayOf('2020-02-03T12:00:00Z', 'en')).toBe('February 3, 2020')
  expect(sizeOf(1_500_000, 'en')).toBe('1.5 MB')
})
