import { defineStore } from 'pinia'
import { ref, watchEffect } from 'vue'

import { detectLocale, setLocale, type Locale } from '@/i18n'

export type Theme = 'system' | 'light' | 'dark'

const THEME = 'trunkline.theme'
const LOCALE = 'trunkline.locale'

/** What the agent chose for this browser. */
export const usePreferences = defineStore('preferences', () => {
  const theme = ref<Theme>((localStorage.getItem(THEME) as Theme | null) ?? 'system')
  const locale = ref<Locale>(detectLocale([localStorage.getItem(LOCALE), ...navigator.languages]))

  watchEffect(() => {
    localStorage.setItem(THEME, theme.value)
    document.documentElement.dataset['theme'] = theme.value
  })

  async function chooseLocale(wanted: Locale): Promise<void> {
    await setLocale(wanted)
    locale.value = wanted
    localStorage.setItem(LOCALE, wanted)
  }

  return { theme, locale, chooseLocale }
})
