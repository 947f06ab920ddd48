import { defineStore } from 'pinia'
import { reactive } from 'vue'

import { api, call } from '@/api/client'
import { putMessages, trim } from '@/live/conversation'
import { changeConversation } from '@/live/reducer'

import { useInbox } from './inbox'

const PAGE = 50
/** Conversations kept warm, so that going back to one is instant. */
const KEPT = 30

export interface Loading {
  busy: boolean
  error: unknown
  earlierBusy: boolean
  earlierError: unknown
}

/** Opens threads, loads their pages upward, keeps the last ones warm. */
export const useConversations = defineStore('conversations', () => {
  const inbox = useInbox()
  const loading = reactive(new Map<string, Loading>())
  const refreshing = new Set<string>()
  /** The page above that is on its way, by thread. */
  const earlier = new Map<string, Promise<void>>()

  function loadingOf(id: string): Loading {
    const found = loading.get(id)
    if (found) return found
    loading.set(id, { busy: false, error: null, earlierBusy: false, earlierError: null })
    return loading.get(id) as Loading
  }

  /** Loads what is missing of a thread; a failure stands in its `loading`. */
  async function open(id: string): Promise<void> {
    const status = loadingOf(id)
    if (status.busy || inbox.state.conversations.has(id)) return
    status.busy = true
    status.error = null
    try {
      await fetchAll(id)
    } catch (error) {
      status.error = error
    } finally {
      status.busy = false
    }
  }

  async function fetchAll(id: string): Promise<void> {
    const since = inbox.state.cursor
    const path = { params: { path: { thread_id: id } } }
    const [, page, notes] = await Promise.all([
      inbox.takeThread(call(api.GET('/api/v1/threads/{thread_id}', path))),
      call(api.GET('/api/v1/threads/{thread_id}/messages', { params: { ...path.params, query: { limit: PAGE } } })),
      call(api.GET('/api/v1/threads/{thread_id}/notes', path)),
    ])
    inbox.merge(since, (old) => ({
      ...old,
      conversations: new Map([
        ...[...old.conversations].slice(-KEPT),
        [id, { messages: page.items, notes: notes.items, earlier: page.next_cursor }],
      ]),
    }))
  }

  /** Loads the page above; whoever asks while it is on its way waits for the same one. */
  function loadEarlier(id: string, limit = PAGE): Promise<void> {
    const running = earlier.get(id) ?? fetchEarlier(id, limit).finally(() => { earlier.delete(id) })
    earlier.set(id, running)
    return running
  }

  async function fetchEarlier(id: string, limit: number): Promise<void> {
    const status = loadingOf(id)
    const before = inbox.state.conversations.get(id)?.earlier ?? null
    if (before === null) return
    status.earlierBusy = true
    status.earlierError = null
    const since = inbox.state.cursor
    try {
      const page = await call(
        api.GET('/api/v1/threads/{thread_id}/messages', {
          params: { path: { thread_id: id }, query: { before, limit } },
        }),
      )
      inbox.merge(since, (old) =>
        changeConversation(old, id, (conversation) => ({
          ...putMessages(conversation, page.items),
          earlier: page.next_cursor,
        })),
      )
    } catch (error) {
      status.earlierError = error
    } finally {
      status.earlierBusy = false
    }
  }

  /** The composer's budgets depend on what was said: ask again after something was. One question at a time. */
  async function refresh(id: string): Promise<void> {
    if (refreshing.has(id)) return
    refreshing.add(id)
    try {
      await inbox.takeThread(call(api.GET('/api/v1/threads/{thread_id}', { params: { path: { thread_id: id } } })))
    } catch {
      // What is shown stays; the next event of this thread asks again.
    } finally {
      refreshing.delete(id)
    }
  }

  /** Forgets all but the newest messages of a long conversation that is read at its end. */
  function shorten(id: string, keep: number): void {
    inbox.change((old) => changeConversation(old, id, (conversation) => trim(conversation, keep)))
  }

  /** After the log was cut: nothing that is kept can be trusted. */
  function forgetAll(): void {
    loading.clear()
    inbox.change((old) => ({ ...old, conversations: new Map(), details: new Map() }))
  }

  return { loadingOf, open, loadEarlier, refresh, shorten, forgetAll }
})
