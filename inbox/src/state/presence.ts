import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'

import { now, useNow } from '@/clock'
import type { Moment } from '@/live/events'

import { useInbox } from './inbox'

export interface Sign {
  kind: 'viewing' | 'typing'
  threadId: string
  actor: Moment['actor']
  /** Milliseconds since the epoch; it is true no longer than that. */
  until: number
}

/** Who looks at which thread and who types, as far as it was told: nothing here is kept, all of it ends by itself. */
export const usePresence = defineStore('presence', () => {
  const inbox = useInbox()
  const clock = useNow(1000)
  const signs = ref<ReadonlyMap<string, Sign>>(new Map())
  const current = computed(() => [...signs.value.values()].filter(({ until }) => until > Math.max(clock.value, 0)))

  watch(() => inbox.moment, (frame) => {
    if (frame?.type === 'moment') signs.value = heard(signs.value, frame)
    if (frame?.type === 'present') signs.value = frame.items.reduce(heard, new Map<string, Sign>())
  }, { flush: 'sync' })

  /** Who has written types no more. */
  watch(() => inbox.arrivals, (arrivals) => {
    const written = new Set(arrivals.map(({ thread_id }) => thread_id))
    signs.value = without(signs.value, (sign) => written.has(sign.threadId) && sign.actor.kind === 'contact' && sign.kind === 'typing')
  })

  function isOther({ actor }: Sign): boolean {
    return actor.kind !== 'agent' || actor.id !== inbox.state.me
  }

  /** The others' signs in a thread; who types is not told as looking as well. */
  function inThread(threadId: string): Sign[] {
    const here = current.value.filter((sign) => sign.threadId === threadId && isOther(sign))
    const typing = new Set(here.filter(({ kind }) => kind === 'typing').map(who))
    return here.filter((sign) => sign.kind === 'typing' || !typing.has(who(sign)))
  }

  return { signs, inThread }
})

function who({ actor }: Pick<Sign, 'actor'>): string {
  return `${actor.kind}/${actor.id ?? ''}`
}

function heard(signs: ReadonlyMap<string, Sign>, { kind, thread_id, actor, ttl_s }: Omit<Moment, 'type'>): ReadonlyMap<string, Sign> {
  if (kind === 'left') return without(signs, (sign) => who(sign) === who({ actor }) && (thread_id === null || sign.threadId === thread_id))
  if (thread_id === null || (kind !== 'viewing' && kind !== 'typing')) return signs
  const sign: Sign = { kind, threadId: thread_id, actor, until: now() + ttl_s * 1000 }
  return new Map(signs).set(`${thread_id}/${who(sign)}/${kind}`, sign)
}

function without(signs: ReadonlyMap<string, Sign>, isOver: (sign: Sign) => boolean): ReadonlyMap<string, Sign> {
  return new Map([...signs].filter(([, sign]) => !isOver(sign)))
}
