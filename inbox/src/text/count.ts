import type { TextUnit } from '@/api/types'

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const utf8 = new TextEncoder()

/** What a user sees as one character, each as a string. */
export function graphemesOf(text: string): string[] {
  return Array.from(graphemes.segment(text), (part) => part.segment)
}

const COUNTERS: Record<TextUnit, (text: string) => number> = {
  characters: (text) => Array.from(text).length,
  utf16: (text) => text.length,
  utf8: (text) => utf8.encode(text).length,
  graphemes: (text) => graphemesOf(text).length,
}

/** The length of a text in the unit in which a platform states its limit. */
export function count(text: string, unit: TextUnit): number {
  return COUNTERS[unit](text)
}
