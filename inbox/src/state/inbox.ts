import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

import { api, call } from '@/api/client'
import type { FeedEvent, Message, Thread } from '@/api/types'
import type { Events, Moment, Payloads, Present } from '@/live/events'
import { LiveFeed, type FeedStatus } from '@/live/feed'
import { applyEvents, applyFrame, putThread } from '@/live/reducer'
import { emptyState, type InboxState } from '@/live/state'
import { openSocket } from '@/live/socket'

/** Events kept to bring pages up to date that were asked for before they came. */
const RECENT = 1000

/** The one state of the inbox: what was fetched, kept true by the live feed. */
export const useInbox = defineStore('inbox', () => {
  const state = shallowRef<InboxState>(emptyState(''))
  const status = ref<FeedStatus>('idle')
  /** What customers wrote that came live just now, for those who listen to the page. */
  const arrivals = shallowRef<readonly Message[]>([])
  /** What the newest frame told, for pages that keep lists of their own true. */
  const latest = shallowRef<readonly FeedEvent[]>([])
  /** Grows with every frame that touched a thread: what is derived from it on the server may have changed. */
  const touched = shallowRef<ReadonlySet<string>>(new Set())
  const unreadThreads = computed(
    () => [...state.value.threads.values()].filter((thread) => thread.unread > 0 && thread.state !== 'closed').length,
  )
  /** The newest thing that is told and not kept; whoever shows it listens here. */
  const moment = shallowRef<Moment | Present | null>(null)
  let recent: FeedEvent[] = []
  let refetch: () => Promise<number> = () => Promise.resolve(state.value.cursor)

  const feed = new LiveFeed({
    ticket: async () => (await call(api.POST('/api/v1/stream/tickets', { body: {} }))).ticket,
    open: openSocket,
    later: (work, ms) => {
      const timer = setTimeout(work, ms)
      return () => { clearTimeout(timer) }
    },
    random: Math.random,
    onEvents: receive,
    onReset: async () => {
      recent = []
      const cursor = await refetch()
      change((old) => ({ ...old, cursor }))
      return cursor
    },
    onStatus: (value) => { status.value = value },
    onMoment: (frame) => { moment.value = frame },
  })

  function receive(frame: Events): void {
    recent = [...recent, ...frame.events].slice(-RECENT)
    change((old) => applyFrame(old, frame))
    const came = arrivalsIn(frame.events)
    if (came.length > 0) arrivals.value = came
    latest.value = frame.events
    touched.value = new Set(frame.events.flatMap((event) => event.thread_id ?? []))
  }

  function change(step: (old: InboxState) => InboxState): void {
    state.value = step(state.value)
    for (const id of state.value.wanted) void fetchWanted(id)
  }

  /** Takes in what was fetched when the log stood at `since`, and applies what came after it again. */
  function merge(since: number, step: (old: InboxState) => InboxState): void {
    change((old) => applyEvents(step(old), recent.filter((event) => event.seq > since)))
  }

  /**
   * Takes in the answer to a request: the feed may have been faster than the answer, and what it told since the request
   * left is applied again.
   */
  async function take<T>(request: Promise<T>, step: (old: InboxState, answer: T) => InboxState): Promise<T> {
    const since = state.value.cursor
    const answer = await request
    merge(since, (old) => step(old, answer))
    return answer
  }

  /** A thread as the server answers it, with its composer. */
  async function takeThread(request: Promise<Thread>): Promise<void> {
    await take(request, (old, { composer, identities, ...summary }) => ({
      ...putThread(old, summary),
      details: new Map(old.details).set(summary.id, { composer, identities }),
    }))
  }

  async function fetchWanted(id: string): Promise<void> {
    unwant(id)
    try {
      await takeThread(call(api.GET('/api/v1/threads/{thread_id}', { params: { path: { thread_id: id } } })))
    } catch {
      // The list stays as it was; the next event of this thread asks again.
    }
  }

  function unwant(id: string): void {
    const wanted = new Set(state.value.wanted)
    wanted.delete(id)
    state.value = { ...state.value, wanted }
  }

  /** Begins anew for this agent. `refetchAll` reloads what is on the screen and answers with the cursor it belongs to. */
  function start(agentId: string, refetchAll: () => Promise<number>): void {
    recent = []
    refetch = refetchAll
    state.value = emptyState(agentId)
  }

  function goLive(cursor: number): void {
    change((old) => ({ ...old, cursor }))
    feed.start(cursor)
  }

  function stop(): void {
    feed.stop()
    state.value = emptyState('')
  }

  return {
    state, status, arrivals, moment, latest, touched, unreadThreads, change, merge, take, takeThread, start, goLive, stop,
    retryNow: () => { feed.retryNow() },
    say: (frame: object) => feed.say(frame),
  }
})

function arrivalsIn(events: readonly FeedEvent[]): Message[] {
  return events.filter((event) => event.kind === 'message_received').map((event) => (event.payload as unknown as Payloads['message_received']).message)
}
