import { onBeforeUnmount, onMounted, ref, watch, type Ref } from 'vue'

import { api, call } from '@/api/client'
import { changeThread } from '@/live/reducer'
import { useInbox } from '@/state/inbox'

/** Tells the server that the newest message was read, once it is really before somebody's eyes. */
export function useReading(threadId: string, atEnd: Ref<boolean>): void {
  const inbox = useInbox()
  const visible = ref(document.visibilityState === 'visible')
  const look = (): void => { visible.value = document.visibilityState === 'visible' }
  onMounted(() => { document.addEventListener('visibilitychange', look) })
  onBeforeUnmount(() => { document.removeEventListener('visibilitychange', look) })

  watch(
    () => {
      const thread = inbox.state.threads.get(threadId)
      return visible.value && atEnd.value && thread && thread.unread > 0 ? thread.last_position : null
    },
    (position) => { if (position !== null) void tell(position) },
    { immediate: true },
  )

  async function tell(position: number): Promise<void> {
    try {
      await call(api.POST('/api/v1/threads/{thread_id}/read', { params: { path: { thread_id: threadId } }, body: { position } }))
      inbox.change((old) => changeThread(old, threadId, (thread) => (thread.last_position === position ? { unread: 0 } : {})))
    } catch {
      // The badge stays, which is true: nobody has been told. The next message or visit tells again.
    }
  }
}
