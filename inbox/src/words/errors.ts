import { useI18n } from 'vue-i18n'

import { Refused } from '@/api/problem'

/** Turns what was thrown into words: the server's own where it gave a reason, ours where no answer came. */
export function useErrorWords(): (error: unknown) => string {
  const { t } = useI18n()
  return (error) => {
    if (!(error instanceof Refused)) return t('error.unreachable')
    const { detail, title } = error.problem
    return detail || title || t('error.status', { status: error.status })
  }
}
