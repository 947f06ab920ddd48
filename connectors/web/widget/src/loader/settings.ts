/** What the page and the account say about the widget: attributes of the script first, then what the server put in. */
import { COLOUR } from '../colour'

export interface Settings {
  key: string
  /** Address of the folder that the loader came from, with its slash. */
  base: string
  start: boolean
  locale: string
  accent: string
  mode: string
  position: string
  layer: string
  domain: string
}

interface Seed {
  key?: string
  accent?: string
  mode?: string
  position?: string
  domain?: string
}

/** The server writes the account's own look in place of this. */
const seed = JSON.parse('[20261121]') as Seed

/** Return the first of these texts that fits. */
export const first = (fits: RegExp, ...texts: (string | undefined)[]): string => texts.find((text) => fits.test(text ?? '')) ?? ''

/** Return the settings of a script element; null where it names no key. */
export function settingsOf(script: HTMLScriptElement): Settings | null {
  const said = script.dataset
  const key = first(/^wk_[\w-]{3,80}$/, said['key'], seed.key)
  return !key ? null : {
    key,
    base: new URL('.', script.src).href,
    start: said['start'] !== 'false',
    locale: said['locale'] ?? '',
    accent: first(COLOUR, said['accent'], seed.accent, '#1f6feb'),
    mode: first(/^(light|dark|auto)$/, said['mode'], seed.mode, 'auto'),
    position: first(/^(start|end)$/, said['position'], seed.position, 'end'),
    layer: first(/^\d{1,10}$/, said['layer'], '2147483000'),
    domain: first(/^[\w.-]+$/, said['domain'], seed.domain),
  }
}
