/** The one place that reads the time. */
export const now = (): number => Date.now()

export const iso = (at = now()): string => new Date(at).toISOString()
