import { onBeforeUnmount, onMounted, watch } from 'vue'

import { useInbox } from '@/state/inbox'

/** How often "I am still here" is told; the server keeps it for 20 seconds. */
const EVERY_MS = 8000

/** Tells the colleagues that this thread is before somebody's eyes, as long as it is. */
export function useWatching(threadId: string): void {
  const inbox = useInbox()
  let timer: ReturnType<typeof setInterval> | undefined

  function look(): void {
    const isSeen = document.visibilityState === 'visible'
    inbox.say({ type: 'presence', thread_id: isSeen ? threadId : null, state: 'viewing' })
  }

  // A new connection knows nothing of us yet.
  watch(() => inbox.moment, (frame) => { if (frame?.type === 'present') look() })
  onMounted(() => {
    look()
    timer = setInterval(look, EVERY_MS)
    document.addEventListener('visibilitychange', look)
  })
  onBeforeUnmount(() => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', look)
    inbox.say({ type: 'presence', thread_id: null, state: 'viewing' })
  })
}
