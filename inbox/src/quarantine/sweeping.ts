import { computed, ref, shallowRef } from 'vue'

import { api, call } from '@/api/client'
import type { Swept } from '@/api/types'

import { asked, type Wanted } from './wanted'

/** How many are tried in one request. */
const BATCH = 50
/** How many of them a dry run tries out. */
const SAMPLE = 100

export type Stage = 'asking' | 'ready' | 'running' | 'done'

/** Trying all that match again: first what that would come to, then batch after batch, until somebody stops it. */
export function useSweep() {
  const stage = ref<Stage>('asking')
  const dry = shallowRef<Swept | null>(null)
  const tried = ref(0)
  const done = ref(0)
  const failures = shallowRef<Swept['failures']>([])
  const error = shallowRef<unknown>(null)
  const stopped = ref(false)
  const part = computed(() => (dry.value === null || dry.value.matching === 0 ? 0 : tried.value / dry.value.matching))
  let wanted: Wanted | null = null

  async function ask(all: Wanted): Promise<void> {
    wanted = all
    stage.value = 'asking'
    dry.value = null
    tried.value = done.value = 0
    failures.value = []
    stopped.value = false
    await guarded(async () => {
      dry.value = await call(api.POST('/api/v1/quarantine/retry', { body: { ...asked(all), dry_run: true, limit: SAMPLE } }))
      stage.value = 'ready'
    })
  }

  async function run(): Promise<void> {
    const upto = dry.value?.upto ?? null
    let after: string | null = null
    stage.value = 'running'
    await guarded(async () => {
      do {
        const one: Swept = await batch(upto, after)
        tried.value += one.tried
        done.value += one.done
        failures.value = [...failures.value, ...one.failures].slice(0, 20)
        after = one.after
      } while (after !== null && !stopped.value)
    })
    stage.value = 'done'
  }

  async function batch(upto: string | null, after: string | null): Promise<Swept> {
    if (wanted === null) throw new Error('Nobody has said which.')
    return await call(api.POST('/api/v1/quarantine/retry', { body: { ...asked(wanted), dry_run: false, limit: BATCH, upto, after } }))
  }

  async function guarded(work: () => Promise<void>): Promise<void> {
    error.value = null
    try {
      await work()
    } catch (failure) {
      error.value = failure
    }
  }

  return { stage, dry, tried, done, failures, error, stopped, part, ask, run, stop: () => { stopped.value = true } }
}
