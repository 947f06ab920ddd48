import { describe, expect, it } from 'vitest'

import type { TextUnit } from '@/api/types'
import { count } from '@/text/count'
import { safeUrl, textRuns } from '@/text/runs'
import { splitText } from '@/text/split'

const FAMILY = '👨‍👩‍👧'

describe('counting', () => {
  it.each<[TextUnit, string, number]>([
    ['characters', 'abc', 3],
    ['characters', '中文', 2],
    ['characters', '😀', 1],
    ['characters', FAMILY, 5],
    ['utf16', '😀', 2],
    ['utf16', FAMILY, 8],
    ['utf8', 'ż', 2],
    ['utf8', '中', 3],
    ['utf8', '😀', 4],
    ['graphemes', FAMILY, 1],
    ['graphemes', 'e\u0301', 1],
    ['graphemes', '', 0],
  ])('in %s takes %s for %i', (unit, text, expected) => {
    expect(count(text, unit)).toBe(expected)
  })
})

describe('splitting', () => {
  it('leaves a text that fits alone', () => {
    expect(splitText('Hello there', 20, 'characters')).toEqual(['Hello there'])
  })

  it('makes no part of nothing', () => {
    expect(splitText('  \n ', 10, 'characters')).toEqual([])
  })

  it('prefers the end of a paragraph to the end of a sentence', () => {
    expect(splitText('One. Two.\n\nThree. Four.', 20, 'characters')).toEqual(['One. Two.', 'Three. Four.'])
  })

  it('cuts between words where there is nothing better', () => {
    expect(splitText('alpha beta gamma delta', 12, 'characters')).toEqual(['alpha beta', 'gamma delta'])
  })

  it('cuts a Chinese text after its full stop', () => {
    expect(splitText('今天下雨了。明天會晴天嗎', 8, 'characters')).toEqual(['今天下雨了。', '明天會晴天嗎'])
  })

  it('never cuts within what a reader sees as one character', () => {
    expect(splitText(FAMILY.repeat(3), 10, 'utf16')).toEqual([FAMILY, FAMILY, FAMILY])
  })

  it.each<TextUnit>(['characters', 'utf16', 'utf8', 'graphemes'])('keeps every part within the limit and loses no word in %s', (unit) => {
    const text = Array.from({ length: 80 }, (_one, index) => `word${index} 中文${FAMILY} żółw`).join(' ')
    const parts = splitText(text, 50, unit)
    for (const part of parts) expect(count(part, unit)).toBeLessThanOrEqual(50)
    expect(parts.join('').replaceAll(/\s/gu, '')).toBe(text.replaceAll(/\s/gu, ''))
  })

  it('ends even if one character is longer than the limit', () => {
    expect(splitText(FAMILY + FAMILY, 2, 'utf16')).toEqual([FAMILY, FAMILY])
  })
})

describe('pieces of a text', () => {
  it('finds addresses and leaves the full stop out of them', () => {
    expect(textRuns('See https://shop.example/a?b=1. Thanks')).toEqual([
      { kind: 'plain', text: 'See ' },
      { kind: 'link', text: 'https://shop.example/a?b=1', url: 'https://shop.example/a?b=1' },
      { kind: 'plain', text: '. Thanks' },
    ])
  })

  it('makes no link of a script', () => {
    expect(textRuns('javascript:alert(1)')).toEqual([{ kind: 'plain', text: 'javascript:alert(1)' }])
    expect(safeUrl('javascript:alert(1)')).toBeNull()
    expect(safeUrl('tel:+48123')).toBe('tel:+48123')
  })

  it('keeps markup as text', () => {
    expect(textRuns('<img src=x onerror=alert(1)>')).toEqual([{ kind: 'plain', text: '<img src=x onerror=alert(1)>' }])
  })

  it('counts the places of mentions in code points', () => {
    const mentions = [{ start: 2, length: 4, us: true }]
    expect(textRuns('😀 @Ada hi', mentions)).toEqual([
      { kind: 'plain', text: '😀 ' },
      { kind: 'mention', text: '@Ada', us: true },
      { kind: 'plain', text: ' hi' },
    ])
  })

  it('passes over mentions that point outside', () => {
    expect(textRuns('hi', [{ start: 1, length: 9 }])).toEqual([{ kind: 'plain', text: 'hi' }])
  })
})
