const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const formats = new Map<string, Intl.DateTimeFormat>()

function format(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options)
  const known = formats.get(key) ?? new Intl.DateTimeFormat(locale, options)
  formats.set(key, known)
  return known
}

/** 14:05 */
export function clockTime(iso: string, locale: string): string {
  return format(locale, { hour: 'numeric', minute: '2-digit' }).format(new Date(iso))
}

/** Everything there is to say about a time, for a tooltip. */
export function fullTime(iso: string, locale: string): string {
  return format(locale, { dateStyle: 'full', timeStyle: 'medium' }).format(new Date(iso))
}

/** Whole days from `iso` to `now` on the agent's calendar: 0 today, 1 yesterday. */
export function daysAgo(iso: string, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(Date.parse(iso))) / DAY)
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0)
}

/** For a separator between days: Today, Yesterday, Monday, 3 March 2026. */
export function dayLabel(iso: string, now: number, locale: string): string {
  const days = daysAgo(iso, now)
  if (days >= 0 && days < 2) {
    return capital(new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-days, 'day'), locale)
  }
  const sameYear = new Date(iso).getFullYear() === new Date(now).getFullYear()
  const year = sameYear ? {} : { year: 'numeric' as const }
  return capital(format(locale, { weekday: 'long', day: 'numeric', month: 'long', ...year }).format(new Date(iso)), locale)
}

function capital(text: string, locale: string): string {
  return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1)
}

/** For the edge of a row: 4m, 3h, Tue, 12 Mar, 12 Mar 2025. */
export function shortAge(iso: string, now: number, locale: string): string {
  const age = Math.max(0, now - Date.parse(iso))
  if (age < DAY && daysAgo(iso, now) === 0) return duration(age, locale)
  if (daysAgo(iso, now) < 7) return format(locale, { weekday: 'short' }).format(new Date(iso))
  const sameYear = new Date(iso).getFullYear() === new Date(now).getFullYear()
  return format(locale, { day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }) }).format(new Date(iso))
}

/** The largest unit of a span, narrow: 40s, 12m, 5h, 3d. */
export function duration(ms: number, locale: string): string {
  if (ms < MINUTE) return unit(Math.max(0, Math.floor(ms / 1000)), 'second', locale)
  if (ms < HOUR) return unit(Math.floor(ms / MINUTE), 'minute', locale)
  if (ms < DAY) return unit(Math.floor(ms / HOUR), 'hour', locale)
  return unit(Math.floor(ms / DAY), 'day', locale)
}

/** A span that runs out: 6d, 23h 10m, 12m, and by the second in the last two minutes: 1:42. */
export function countdown(ms: number, locale: string): string {
  if (ms < 2 * MINUTE) return `${Math.floor(ms / MINUTE)}:${String(Math.floor((ms % MINUTE) / 1000)).padStart(2, '0')}`
  if (ms < HOUR || ms >= 2 * DAY) return duration(ms, locale)
  if (ms >= DAY) return unit(Math.floor(ms / HOUR), 'hour', locale)
  return `${unit(Math.floor(ms / HOUR), 'hour', locale)} ${unit(Math.floor((ms % HOUR) / MINUTE), 'minute', locale)}`
}

/** Length of a recording: 0:07, 12:30. */
export function trackLength(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

function unit(value: number, name: string, locale: string): string {
  return new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'narrow' }).format(value)
}

/** 15 bytes, 340 kB, 12.5 MB */
export function fileSize(bytes: number, locale: string): string {
  const [value, name] = bytes < 1000 ? [bytes, 'byte'] : bytes < 1e6 ? [bytes / 1e3, 'kilobyte'] : [bytes / 1e6, 'megabyte']
  return new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: bytes < 1000 ? 'long' : 'short', maximumFractionDigits: 1 }).format(value)
}
