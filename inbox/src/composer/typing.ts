import { api, call } from '@/api/client'
import { now } from '@/clock'
import { useInbox } from '@/state/inbox'

/** Our own pages show the sign for six seconds. A platform that shows it longer is asked less often by its connector. */
const CUSTOMER_MS = 5000
const COLLEAGUES_MS = 3000

/** Tells that somebody types: the colleagues, and the customer where the channel can show it. */
export function useTyping(threadId: string, isShown: () => boolean): () => void {
  const inbox = useInbox()
  const toColleagues = atMostEvery(COLLEAGUES_MS, () => { inbox.say({ type: 'presence', thread_id: threadId, state: 'typing' }) })
  const toCustomer = atMostEvery(CUSTOMER_MS, () => {
    // A courtesy: when it does not get through, nothing is lost and nobody needs to know.
    void call(api.POST('/api/v1/threads/{thread_id}/typing', { params: { path: { thread_id: threadId } }, body: {} })).catch(() => undefined)
  })
  return () => {
    toColleagues()
    if (isShown()) toCustomer()
  }
}

function atMostEvery(ms: number, work: () => void): () => void {
  let last = 0
  return () => {
    if (now() - last < ms) return
    last = now()
    work()
  }
}
