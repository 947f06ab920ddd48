import { computed, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue'

import { api, call } from '@/api/client'
import type { FoundContact, FoundMessage, SearchAnswer } from '@/api/types'

export type Scope = 'all' | 'contacts' | 'messages'

/** What is typed quickly is asked once. */
const SETTLE_MS = 200

export interface Asking {
  contacts: Ref<readonly FoundContact[]>
  messages: Ref<readonly FoundMessage[]>
  /** What the results are the answer to; empty before the first. */
  answered: Ref<string>
  busy: Ref<boolean>
  error: Ref<unknown>
  hasMore: ComputedRef<boolean>
  /** Whether everything is searched, and not only the last half year. */
  isAll: Ref<boolean>
  ask: () => Promise<void>
  more: () => Promise<void>
}

/** Asks the server as the words change; only the answer to the newest question counts. */
export function useAsking(words: Ref<string>, scope: Ref<Scope>): Asking {
  const contacts = shallowRef<readonly FoundContact[]>([])
  const messages = shallowRef<readonly FoundMessage[]>([])
  const answered = ref('')
  const next = ref<string | null>(null)
  const busy = ref(false)
  const error = shallowRef<unknown>(null)
  const isAll = ref(false)
  let asked = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  async function fetchPage(cursor: string | null): Promise<void> {
    const mine = ++asked
    const q = words.value.trim()
    error.value = null
    busy.value = true
    try {
      const query = { q, scope: scope.value, period: isAll.value ? 'all' as const : 'recent' as const, ...(cursor === null ? {} : { cursor }) }
      const page = await call(api.GET('/api/v1/search', { params: { query } }))
      if (mine === asked) take(page, q, cursor)
    } catch (failure) {
      if (mine === asked) error.value = failure
    } finally {
      if (mine === asked) busy.value = false
    }
  }

  function take(page: SearchAnswer, q: string, cursor: string | null): void {
    contacts.value = cursor === null ? page.contacts : [...contacts.value, ...page.contacts]
    messages.value = cursor === null ? page.messages : [...messages.value, ...page.messages]
    next.value = page.next_cursor
    answered.value = q
  }

  function forget(): void {
    asked += 1
    contacts.value = []
    messages.value = []
    next.value = null
    answered.value = ''
    busy.value = false
    error.value = null
  }

  async function ask(): Promise<void> {
    if (words.value.trim() === '') forget()
    else await fetchPage(null)
  }

  watch([words, scope, isAll], () => {
    clearTimeout(timer)
    timer = setTimeout(() => { void ask() }, SETTLE_MS)
  })

  return { contacts, messages, answered, busy, error, hasMore: computed(() => next.value !== null), isAll, ask, more: () => fetchPage(next.value) }
}
