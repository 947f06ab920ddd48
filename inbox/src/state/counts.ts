import { defineStore } from 'pinia'
import { ref, watch } from 'vue'

import { api, call } from '@/api/client'
import type { ThreadCounts } from '@/api/types'
import type { Filter } from '@/live/state'

import { useInbox } from './inbox'

/** Changes that come together are counted once. */
const SETTLE_MS = 800

/** How many open threads there are: mine, nobody's, all. Counted by the server, asked again when something happened. */
export const useCounts = defineStore('counts', () => {
  const inbox = useInbox()
  const counts = ref<ThreadCounts | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined

  async function load(): Promise<void> {
    try {
      counts.value = await call(api.GET('/api/v1/threads/counts'))
    } catch {
      // The numbers are a help, not the work: the old ones stay until the next change.
    }
  }

  function of(view: Filter['view']): number | null {
    return counts.value?.[view] ?? null
  }

  watch(() => inbox.touched, () => {
    clearTimeout(timer)
    timer = setTimeout(() => { void load() }, SETTLE_MS)
  })

  return { of, load }
})
