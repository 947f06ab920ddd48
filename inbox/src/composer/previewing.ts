import { computed, onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'

import { api, call } from '@/api/client'
import type { ReplyPreview } from '@/api/types'
import type { Draft } from '@/state/drafts'
import { bodyOf } from '@/state/outgoing'

import { replyOf } from './sending'

const WAIT_MS = 350

export interface Previewing {
  found: ShallowRef<ReplyPreview | null>
  error: ShallowRef<unknown>
  busy: Ref<boolean>
  ask: () => Promise<void>
}

/** Asks the server what would become of a draft, a moment after the last change, while `isOpen`. The newest question counts. */
export function usePreview(threadId: string, draft: Draft, isOpen: () => boolean): Previewing {
  const found = shallowRef<ReplyPreview | null>(null)
  const error = shallowRef<unknown>(null)
  const busy = ref(false)
  let round = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const body = computed(() => bodyOf(replyOf(draft)))
  const isEmpty = computed(() => Object.keys(body.value).every((key) => key === 'reply_to' || key === 'quick_replies'))

  async function ask(): Promise<void> {
    const mine = ++round
    if (isEmpty.value) {
      found.value = null
      busy.value = false
      return
    }
    busy.value = true
    try {
      const answer = await call(api.POST('/api/v1/threads/{thread_id}/preview', { params: { path: { thread_id: threadId } }, body: body.value }))
      if (mine === round) [found.value, error.value] = [answer, null]
    } catch (failure) {
      if (mine === round) [found.value, error.value] = [null, failure]
    } finally {
      if (mine === round) busy.value = false
    }
  }

  watch([() => JSON.stringify(body.value), isOpen], ([, open]) => {
    clearTimeout(timer)
    if (open) timer = setTimeout(() => void ask(), WAIT_MS)
  }, { immediate: true })
  onScopeDispose(() => { clearTimeout(timer) })
  return { found, error, busy, ask }
}
