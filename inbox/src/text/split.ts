import type { TextUnit } from '@/api/types'

import { count, graphemesOf } from './count'

/** Where a text is cut best, in order of liking: paragraph, line, sentence, word. */
const BORDERS: readonly RegExp[] = [/\n\s*\n/g, /\n/g, /[.!?。！？…]+["'”’）)」』]*\s*/g, /\s+/g]

/**
 * Cuts a text into parts of at most `max` units, at the best border in each part's second half, as the core does when it sends.
 * Never inside what a reader sees as one character, even if that alone is longer than `max`.
 */
export function splitText(text: string, max: number, unit: TextUnit): string[] {
  const parts: string[] = []
  let rest = text.trim()
  while (rest !== '') {
    const part = count(rest, unit) <= max ? rest : head(rest, max, unit)
    parts.push(part.trimEnd())
    rest = rest.slice(part.length).trimStart()
  }
  return parts
}

function head(text: string, max: number, unit: TextUnit): string {
  const longest = longestPrefix(text, max, unit)
  for (const border of BORDERS) {
    const end = lastEnd(longest, border)
    if (end >= longest.length / 2) return text.slice(0, end)
  }
  return longest
}

function longestPrefix(text: string, max: number, unit: TextUnit): string {
  let length = 0
  let used = 0
  // A code point is at most two UTF-16 units: a window of the text is enough.
  for (const piece of graphemesOf(text.slice(0, windowOf(max, unit)))) {
    used += count(piece, unit)
    if (used > max) break
    length += piece.length
  }
  return length > 0 ? text.slice(0, length) : (graphemesOf(text)[0] ?? '')
}

/** UTF-16 units to look at; a grapheme may be long (families of emoji), so that unit sees everything. */
function windowOf(max: number, unit: TextUnit): number | undefined {
  return unit === 'graphemes' ? undefined : max * 2 + 64
}

function lastEnd(text: string, border: RegExp): number {
  let end = -1
  for (const match of text.matchAll(border)) end = match.index + match[0].length
  return end
}
