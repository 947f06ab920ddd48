import { ref, shallowRef, type Ref } from 'vue'

import { api, call, newKey, once } from '@/api/client'
import type { Thread } from '@/api/types'
import { useInbox } from '@/state/inbox'

export interface ThreadActions {
  busy: Ref<boolean>
  error: Ref<unknown>
  assign: (agentId: string | null) => Promise<void>
  close: () => Promise<void>
  reopen: () => Promise<void>
}

/** What the header and the keys can do with a thread; one at a time, a failure stands in `error`. */
export function useThreadActions(threadId: string): ThreadActions {
  const inbox = useInbox()
  const busy = ref(false)
  const error = shallowRef<unknown>(null)
  const params = { path: { thread_id: threadId } }

  async function act(work: () => Promise<Thread>): Promise<void> {
    if (busy.value) return
    busy.value = true
    error.value = null
    try {
      await inbox.takeThread(work())
    } catch (failure) {
      error.value = failure
    } finally {
      busy.value = false
    }
  }

  const headers = () => once(newKey())
  return {
    busy,
    error,
    assign: (agentId) => act(() => call(api.PUT('/api/v1/threads/{thread_id}/assignee', { params, headers: headers(), body: { agent_id: agentId } }))),
    close: () => act(() => call(api.POST('/api/v1/threads/{thread_id}/close', { params, headers: headers(), body: {} }))),
    reopen: () => act(() => call(api.POST('/api/v1/threads/{thread_id}/reopen', { params, headers: headers(), body: {} }))),
  }
}
