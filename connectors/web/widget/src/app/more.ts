/** The words of what is loaded later, in the language of now. */
import type more from '../words/more/en'
import type { Chat } from './chat'
import { languageOf } from './words'

export type More = typeof more

const LANGUAGES: Record<string, () => Promise<{ default: More }>> = {
  en: () => import('../words/more/en'),
  'zh-Hans': () => import('../words/more/zh-Hans'),
  'zh-Hant': () => import('../words/more/zh-Hant'),
  pl: () => import('../words/more/pl'),
}

export async function speak({ locale, config, parts }: Chat): Promise<void> {
  const found = await (LANGUAGES[languageOf(locale)] as () => Promise<{ default: More }>)()
  parts.words = { ...found.default, ...config?.texts }
}
