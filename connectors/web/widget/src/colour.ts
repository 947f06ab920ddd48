/** Return black or white, whichever can be read on `accent` ("#rrggbb"): one of them always has 4.5:1. */
export function inkOn(accent: string): string {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(accent.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000' : '#fff'
}

export const COLOUR = /^#[0-9a-f]{6}$/i

export const isColour = (text: unknown): text is string => typeof text === 'string' && COLOUR.test(text)
