import { ref, shallowRef, watch, type Ref } from 'vue'

import { api, call } from '@/api/client'
import type { FeedEvent, Letter } from '@/api/types'
import { useInbox } from '@/state/inbox'

import { asked, type Wanted } from './wanted'

/** States in which a reply waits for a person. */
const DEAD = new Set(['failed', 'expired', 'suppressed'])

/** The list of dead letters: fetched page by page, and kept true by what the feed tells. */
export function useLetters(wanted: Ref<Wanted>) {
  const inbox = useInbox()
  const items = shallowRef<readonly Letter[]>([])
  const next = ref<string | null>(null)
  const loaded = ref(false)
  const busy = ref(false)
  const error = shallowRef<unknown>(null)
  /** Whether something died that is not in the list yet. */
  const news = ref(false)
  let turn = 0

  async function load(cursor: string | null = null): Promise<void> {
    const mine = ++turn
    busy.value = true
    error.value = null
    if (cursor === null) news.value = false
    try {
      const query = { ...asked(wanted.value), ...(cursor === null ? {} : { cursor }) }
      const page = await call(api.GET('/api/v1/quarantine', { params: { query } }))
      if (mine !== turn) return
      items.value = cursor === null ? page.items : [...items.value, ...page.items]
      next.value = page.next_cursor
      loaded.value = true
    } catch (failure) {
      if (mine === turn) error.value = failure
    } finally {
      if (mine === turn) busy.value = false
    }
  }

  function drop(id: string): void {
    items.value = items.value.filter((item) => item.id !== id)
  }

  function hear(event: FeedEvent): void {
    const told = deathIn(event)
    if (told === null) return
    if (told.gone) drop(told.id)
    else if (told.kind === wanted.value.kind && !items.value.some((item) => item.id === told.id)) news.value = true
  }

  watch(wanted, () => {
    loaded.value = false
    items.value = []
    void load()
  })
  watch(() => inbox.latest, (events) => {
    events.forEach(hear)
    // Into an empty list it comes by itself: nothing there could jump away.
    if (news.value && loaded.value && items.value.length === 0 && !busy.value) void load()
  }, { flush: 'sync' })

  return { items, next, loaded, busy, error, news, load, drop }
}

interface Told { id: string; kind: Letter['kind']; gone: boolean }

/** What an event tells of a dead letter: that there is a new one, or that one is none any more. */
function deathIn(event: FeedEvent): Told | null {
  const payload = event.payload as { quarantine_id?: string; delivery?: { id: string; state: string } }
  if (event.kind === 'quarantined' || event.kind === 'quarantine_closed') {
    return { id: payload.quarantine_id ?? '', kind: 'received', gone: event.kind === 'quarantine_closed' }
  }
  if (payload.delivery === undefined || !event.kind.startsWith('delivery_')) return null
  return { id: payload.delivery.id, kind: 'sent', gone: !DEAD.has(payload.delivery.state) }
}
