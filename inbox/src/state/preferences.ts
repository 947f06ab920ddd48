import { defineStore } from 'pinia'
import { reactive, ref, toRefs, watch, watchEffect } from 'vue'

import { detectLocale, setLocale, type Locale } from '@/i18n'

export type Theme = 'system' | 'light' | 'dark'
/** What stands beside the messages. */
export type Panel = 'customer' | 'history' | null

export interface Habits {
  /** Enter sends; otherwise Ctrl or ⌘ and Enter. */
  enterSends: boolean
  /** Replies wait five seconds in which they can be taken back. */
  undo: boolean
  /** Desktop notifications; the browser's own permission is asked when it is switched on. */
  notify: boolean
  sound: boolean
  panel: Panel
}

const THEME = 'trunkline.theme'
const LOCALE = 'trunkline.locale'
const HABITS = 'trunkline.habits'
const USUAL: Habits = { enterSends: true, undo: true, notify: false, sound: false, panel: null }

/** What the agent chose for this browser. */
export const usePreferences = defineStore('preferences', () => {
  const theme = ref<Theme>((localStorage.getItem(THEME) as Theme | null) ?? 'system')
  const locale = ref<Locale>(detectLocale([localStorage.getItem(LOCALE), ...navigator.languages]))
  const habits = reactive<Habits>({ ...USUAL, ...stored() })

  watchEffect(() => {
    localStorage.setItem(THEME, theme.value)
    document.documentElement.dataset['theme'] = theme.value
  })
  watch(habits, () => { localStorage.setItem(HABITS, JSON.stringify(habits)) })

  async function chooseLocale(wanted: Locale): Promise<void> {
    await setLocale(wanted)
    locale.value = wanted
    localStorage.setItem(LOCALE, wanted)
  }

  return { theme, locale, ...toRefs(habits), chooseLocale }
})

function stored(): Partial<Habits> {
  const text = localStorage.getItem(HABITS)
  return text === null ? {} : (JSON.parse(text) as Partial<Habits>)
}
