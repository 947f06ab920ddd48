import { api, call } from '@/api/client'
import { now } from '@/clock'

/** One sign of life to the customer covers this time. */
const EVERY_MS = 15_000

/** Tells the customer that somebody types, where the channel can show it. */
export function useTyping(threadId: string, isShown: () => boolean): () => void {
  let last = 0
  return () => {
    if (!isShown() || now() - last < EVERY_MS) return
    last = now()
    // A courtesy: when it does not get through, nothing is lost and nobody needs to know.
    void call(api.POST('/api/v1/threads/{thread_id}/typing', { params: { path: { thread_id: threadId } }, body: {} })).catch(() => undefined)
  }
}
