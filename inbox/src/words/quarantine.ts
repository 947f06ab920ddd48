import { useI18n } from 'vue-i18n'

import type { Letter } from '@/api/types'

import { lookOf } from './delivery'

/** Reasons of the house's own → key; what a connector says comes in its words. */
export const REASONS: Record<string, string> = {
  unknown_kind: 'quarantine.unknownKind',
  unreadable: 'quarantine.unreadable',
  handler_error: 'quarantine.handlerError',
}

/** Why something could not be read, in words. */
export function useQuarantineWords(): (reason: string | null) => string {
  const { t } = useI18n()
  return (reason) => {
    if (reason === null) return t('quarantine.placeholder')
    const known = REASONS[reason]
    return known === undefined ? reason : t(known)
  }
}

/** What a dead letter is called: why a request could not be read, or what became of a reply. */
export function useLetterTitle(): (letter: Letter) => string {
  const { t } = useI18n()
  const reasonWords = useQuarantineWords()
  return (letter) => {
    if (letter.kind === 'received') return letter.state === 'quarantined' ? reasonWords(letter.reason) : t('quarantine.one')
    const state = t(lookOf(letter.state).words)
    return letter.error === null ? state : t('quarantine.because', { state, why: letter.error })
  }
}
