/** Times and sizes in the visitor's language. */
import { now } from '../clock'

const DAY_MS = 86_400_000

export const timeOf = (at: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, { timeStyle: 'short' }).format(new Date(at))

/** Return "today", "yesterday" or the date. */
export function dayOf(at: string, locale: string): string {
  const day = new Date(at).setHours(0, 0, 0, 0)
  const ago = Math.round((new Date(now()).setHours(0, 0, 0, 0) - day) / DAY_MS)
  return ago < 2
    ? new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-ago, 'day')
    : new Intl.DateTimeFormat(locale, { dateStyle: ago < 300 ? 'medium' : 'long' }).format(day)
}

export function sizeOf(bytes: number, locale: string): string {
  const step = bytes < 1e3 ? 0 : bytes < 1e6 ? 1 : 2
  const unit = ['byte', 'kilobyte', 'megabyte'][step]
  return new Intl.NumberFormat(locale, { style: 'unit', unit, maximumFractionDigits: 1 }).format(bytes / 1000 ** step)
}
