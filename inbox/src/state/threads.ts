import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

import { api, call } from '@/api/client'
import type { Channel, ThreadPage, ThreadSummary } from '@/api/types'
import { putThread } from '@/live/reducer'
import { emptyList, type Filter, type InboxState } from '@/live/state'

import { useInbox } from './inbox'

const PAGE = 50
/** Who scrolls on wants many. */
const MORE = 100

/** The list on the left: its filter, its pages. */
export const useThreads = defineStore('threads', () => {
  const inbox = useInbox()
  const loading = ref(false)
  const error = shallowRef<unknown>(null)
  const loadingMore = ref(false)
  const moreError = shallowRef<unknown>(null)
  const filter = computed(() => inbox.state.list.filter)
  const rows = computed(() => rowsOf(inbox.state))
  /** Every kind of place that customers may write from. */
  const channels = shallowRef<readonly Channel[]>([])
  const loaded = computed(() => inbox.state.list.loaded)
  /** Only the answer to the newest question counts. */
  let asked = 0

  async function load(wanted: Filter): Promise<number> {
    const mine = ++asked
    loading.value = true
    error.value = null
    moreError.value = null
    inbox.change((old) => ({ ...old, list: emptyList(wanted) }))
    try {
      const page = await fetchPage(wanted, null)
      if (mine === asked) take(page, wanted)
      // The first page that arrives is where the live feed begins.
      if (inbox.status === 'idle') inbox.goLive(page.stream_cursor)
      return page.stream_cursor
    } catch (failure) {
      if (mine === asked) error.value = failure
      throw failure
    } finally {
      if (mine === asked) loading.value = false
    }
  }

  async function loadMore(): Promise<void> {
    const { next, filter: wanted } = inbox.state.list
    if (next === null || loadingMore.value || loading.value) return
    const mine = asked
    loadingMore.value = true
    moreError.value = null
    try {
      const page = await fetchPage(wanted, next)
      if (mine === asked) take(page, wanted)
    } catch (failure) {
      moreError.value = failure
    } finally {
      loadingMore.value = false
    }
  }

  function take(page: ThreadPage, wanted: Filter): void {
    inbox.merge(page.stream_cursor, (old) => withPage(old, page, wanted))
  }

  /** Changes the filter; a failure stands in `error`, where the list is. */
  async function choose(change: Partial<Filter>): Promise<void> {
    await load({ ...filter.value, ...change }).catch(() => undefined)
  }

  /** Unread threads beyond the first page, so that the number in the title is true from the start. */
  async function loadUnread(): Promise<void> {
    const page = await call(api.GET('/api/v1/threads', { params: { query: { state: 'open', unread: true, limit: 100 } } }))
    inbox.merge(page.stream_cursor, (old) => page.items.reduce(putThread, old))
  }

  async function loadAccounts(): Promise<void> {
    const [{ items }, known] = await Promise.all([call(api.GET('/api/v1/accounts')), call(api.GET('/api/v1/channels'))])
    channels.value = known.items
    inbox.change((old) => ({ ...old, accounts: new Map(items.map((account) => [account.id, account])) }))
  }

  return { filter, rows, loaded, channels, loading, error, loadingMore, moreError, load, loadMore, choose, loadUnread, loadAccounts }
})

async function fetchPage(filter: Filter, cursor: string | null): Promise<ThreadPage> {
  const query = {
    view: filter.view,
    state: filter.state,
    limit: cursor === null ? PAGE : MORE,
    ...(filter.account === null ? {} : { account: filter.account }),
    ...(filter.channel === null ? {} : { channel: filter.channel }),
    ...(cursor === null ? {} : { cursor }),
  }
  return await call(api.GET('/api/v1/threads', { params: { query } }))
}

function withPage(state: InboxState, page: ThreadPage, filter: Filter): InboxState {
  const threads = new Map(state.threads)
  for (const thread of page.items) threads.set(thread.id, thread)
  const ids = [...new Set([...state.list.ids, ...page.items.map((thread) => thread.id)])]
  return { ...state, threads, list: { filter, ids, next: page.next_cursor, loaded: true } }
}

function rowsOf(state: InboxState): ThreadSummary[] {
  return state.list.ids.flatMap((id) => state.threads.get(id) ?? [])
}
