import { onScopeDispose, ref, type Ref } from 'vue'

/** Milliseconds since the epoch. The only door to the wall clock; tests put their own behind it. */
export type Clock = () => number

/** How far the server's clock is ahead of this machine's. */
let ahead = 0
let clock: Clock = () => Date.now() + ahead

export function now(): number {
  return clock()
}

/** Goes by the server's time: deadlines are its own, whatever this machine thinks. Small differences are the journey. */
export function followServer(at: string): void {
  const difference = Date.parse(at) - Date.now()
  ahead = Math.abs(difference) > 2000 ? difference : 0
  for (const ticker of tickers.values()) ticker.time.value = now()
}

export function setClock(replacement: Clock): void {
  clock = replacement
}

export function nowIso(): string {
  return new Date(now()).toISOString()
}

interface Ticker {
  time: Ref<number>
  users: number
  timer: ReturnType<typeof setInterval>
}

const tickers = new Map<number, Ticker>()

/** The time as a ref that moves every `everyMs`, for countdowns and "3 min ago". All who ask for the same pace share one timer. */
export function useNow(everyMs = 15_000): Ref<number> {
  const ticker = tickers.get(everyMs) ?? startTicker(everyMs)
  ticker.users += 1
  onScopeDispose(() => {
    ticker.users -= 1
    if (ticker.users > 0) return
    clearInterval(ticker.timer)
    tickers.delete(everyMs)
  })
  return ticker.time
}

function startTicker(everyMs: number): Ticker {
  const time = ref(now())
  const ticker = { time, users: 0, timer: setInterval(() => { time.value = now() }, everyMs) }
  tickers.set(everyMs, ticker)
  return ticker
}
