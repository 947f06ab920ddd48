import { createI18n } from 'vue-i18n'

import en from './en.json'

export type Catalogue = typeof en
export type Locale = 'en' | 'zh-Hans' | 'zh-Hant' | 'pl'

/** Each in its own words, as a reader looks for it. */
export const LOCALES: Record<Locale, string> = {
  en: 'English',
  'zh-Hans': '简体中文',
  'zh-Hant': '繁體中文',
  pl: 'Polski',
}

const LOADERS: Record<Exclude<Locale, 'en'>, () => Promise<{ default: Catalogue }>> = {
  'zh-Hans': () => import('./zh-Hans.json'),
  'zh-Hant': () => import('./zh-Hant.json'),
  pl: () => import('./pl.json'),
}

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en } as Record<string, Catalogue>,
  pluralRules: { pl: polishPlural },
})

/** one | few | many: 1 wiadomość, 2 wiadomości, 5 wiadomości. */
function polishPlural(choice: number, choices: number): number {
  const forms = ['one', 'few', 'many']
  const form = forms.indexOf(new Intl.PluralRules('pl').select(choice))
  return Math.min(form < 0 ? 2 : form, choices - 1)
}

export async function setLocale(locale: Locale): Promise<void> {
  if (locale !== 'en') i18n.global.setLocaleMessage(locale, (await LOADERS[locale]()).default)
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}

/** The first wish that we can meet. Chinese is told apart by script, or by the place where it is written. */
export function detectLocale(wishes: readonly (string | null)[]): Locale {
  for (const wish of wishes) {
    const met = wish === null ? undefined : meet(wish)
    if (met) return met
  }
  return 'en'
}

function meet(wish: string): Locale | undefined {
  const { language, script } = new Intl.Locale(wish).maximize()
  if (language === 'zh') return script === 'Hant' ? 'zh-Hant' : 'zh-Hans'
  return language === 'en' || language === 'pl' ? language : undefined
}
