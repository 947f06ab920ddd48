/** The languages of the widget, each loaded when it is needed; what the settings say replaces single words. */
import type en from '../words/en'

export type Words = typeof en

const LANGUAGES: Record<string, () => Promise<{ default: Words }>> = {
  en: () => import('../words/en'),
  'zh-Hans': () => import('../words/zh-Hans'),
  'zh-Hant': () => import('../words/zh-Hant'),
  pl: () => import('../words/pl'),
}

/** Return which of our languages a tag asks for: "zh-TW" is "zh-Hant", "pl-PL" is "pl"; English for all others. */
export function languageOf(tag: string): string {
  if (/^zh/i.test(tag)) return /hant|tw|hk|mo/i.test(tag) ? 'zh-Hant' : 'zh-Hans'
  const short = tag.slice(0, 2).toLowerCase()
  return short in LANGUAGES ? short : 'en'
}

export async function load(tag: string, own: Partial<Words> = {}): Promise<Words> {
  const found = await (LANGUAGES[languageOf(tag)] as () => Promise<{ default: Words }>)()
  return { ...found.default, ...own }
}

/** Fill `{name}` in a sentence. */
export const fill = (sentence: string, values: Record<string, string | number>): string =>
  sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
