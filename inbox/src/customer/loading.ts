import { onMounted, ref, shallowRef, watch, type Ref } from 'vue'

import { api, call, newKey, once } from '@/api/client'
import type { ContactDetail } from '@/api/types'
import { putContact } from '@/live/reducer'
import { useInbox } from '@/state/inbox'

export interface Customer {
  detail: Ref<ContactDetail | null>
  busy: Ref<boolean>
  error: Ref<unknown>
  load: () => Promise<void>
  /** Raises `Refused` or `Unreachable`. */
  rename: (name: string) => Promise<void>
}

/** What is known of a customer, asked again when their threads move and when they look at another page. */
export function useCustomer(contactId: string, threadId: () => string): Customer {
  const inbox = useInbox()
  const detail = shallowRef<ContactDetail | null>(null)
  const busy = ref(false)
  const error = shallowRef<unknown>(null)
  const params = { path: { contact_id: contactId } }

  /** Something moved while we asked: what comes back may not know of it yet. */
  let isStale = false

  async function load(): Promise<void> {
    isStale = busy.value
    if (busy.value) return
    busy.value = true
    error.value = null
    try {
      detail.value = await call(api.GET('/api/v1/contacts/{contact_id}', { params }))
    } catch (failure) {
      // What is shown already stays, rather than to be replaced by an error.
      if (detail.value === null) error.value = failure
    } finally {
      busy.value = false
    }
    if (isStale) await load()
  }

  async function rename(name: string): Promise<void> {
    const request = call(api.PATCH('/api/v1/contacts/{contact_id}', { params, headers: once(newKey()), body: { name } }))
    const answer = await inbox.take(request, (old, { id, name: named, avatar }) => putContact(old, { id, name: named, avatar }))
    detail.value = answer
  }

  onMounted(load)
  watch(() => inbox.touched, (touched) => { if (touched.has(threadId())) void load() })
  watch(() => inbox.moment, (frame) => {
    if (frame?.type === 'moment' && frame.kind === 'visited' && frame.thread_id === threadId()) void load()
  }, { flush: 'sync' })
  return { detail, busy, error, load, rename }
}
