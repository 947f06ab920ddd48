/** The one place that reads the time. */
export const now = (): number => Date.now()

export const isoNow = (): string => new Date(now()).toISOString()
