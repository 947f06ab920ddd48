import { useI18n } from 'vue-i18n'

/** Reasons of the house's own → key; what a connector says comes in its words. */
const REASONS: Record<string, string> = {
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
