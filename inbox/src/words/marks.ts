/** Up to two letters that stand for a name: first of the first and of the last word, or the first two of one word. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s_-]+/u).filter((word) => word !== '')
  const [first = '?', last] = [words[0], words.length > 1 ? words.at(-1) : undefined]
  // One ideograph says as much as two letters and needs the room of both.
  if (!/^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}]/u.test(first)) return firstLetter(first)
  const letters = last === undefined ? Array.from(first).slice(0, 2).join('') : firstLetter(first) + firstLetter(last)
  return letters.toLocaleUpperCase()
}

function firstLetter(word: string): string {
  return Array.from(word)[0] ?? ''
}

/** The same hue, in degrees, for the same text everywhere (FNV-1a, mixed once more so that neighbours differ). */
export function hueOf(text: string): number {
  let hash = 0x811c9dc5
  for (const unit of new TextEncoder().encode(text)) hash = Math.imul(hash ^ unit, 0x01000193) >>> 0
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0
  return ((mixed ^ (mixed >>> 12)) >>> 0) % 360
}
