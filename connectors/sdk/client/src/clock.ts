/** The one place that reads the time and draws lots. */
export const now = (): number => Date.now()

export const isoNow = (): string => new Date(now()).toISOString()

/** Seconds to wait before the next try: full jitter below 1, 2, 4 … 30 s, and never less than `least`. */
export const pause = (tries: number, least = 0): number => least + Math.random() * Math.min(30, 2 ** tries)
