import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'

/** The locale for numbers and times: the agent's own country where it speaks the language of the page. */
export function useRegion(): ComputedRef<string> {
  const { locale } = useI18n()
  return computed(() => regionOf(locale.value, navigator.languages))
}

export function regionOf(locale: string, wishes: readonly string[]): string {
  const { language, script } = new Intl.Locale(locale).maximize()
  const own = wishes.find((wish) => {
    const wished = new Intl.Locale(wish).maximize()
    return wished.language === language && wished.script === script
  })
  return own ?? locale
}
