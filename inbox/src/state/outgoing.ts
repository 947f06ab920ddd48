import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'

import { api, call, newKey, once } from '@/api/client'
import { isPassing } from '@/api/problem'
import { readToken } from '@/api/token'
import type { Content, Media, Message, NewContent, NewReply, QuickReply } from '@/api/types'
import { now, nowIso } from '@/clock'
import { putMessages } from '@/live/conversation'
import { changeConversation } from '@/live/reducer'

import { useInbox } from './inbox'
import { usePreferences } from './preferences'

export interface Reply {
  text: string
  attachments: Media[]
  quickReplies: QuickReply[]
  replyTo: { id: string; preview: string } | null
  rich?: Rich | null
}

/** A card, a place, a template: as the server is told, and as it is shown. */
export interface Rich {
  sent: NewContent
  shown: Content
}

/** A reply that the server has not confirmed yet. */
export interface Outgoing extends Reply {
  /** The Idempotency-Key: the same for every try of this reply. */
  key: string
  threadId: string
  at: string
  /** Position of the newest message when it was sent. */
  after: number
  state: 'held' | 'sending' | 'failed'
  /** When a held one goes out, in milliseconds since the epoch. */
  due: number
  error: unknown
}

/** So long a reply can be taken back before it leaves the browser. */
export const HOLD_MS = 5000
const WAITS_MS = [1000, 3000, 6000]
const KEY = 'trunkline.outgoing'
/** The server knows a key for 24 hours; what is older may not be sent by itself. */
const KNOWN_MS = 12 * 3_600_000

/**
 * Replies on their way to the server: held for a moment, shown at once, sent in order, repeated under the same key when no
 * answer comes. Who leaves the page sends what is held; what was not confirmed is sent again, under its key, by the page
 * that comes after it.
 */
export const useOutgoing = defineStore('outgoing', () => {
  const inbox = useInbox()
  const preferences = usePreferences()
  const all = ref<Outgoing[]>([])
  const queues = new Map<string, Promise<unknown>>()
  /** By key: ends the waiting; `true` lets the reply go. */
  const holds = new Map<string, (goes: boolean) => void>()

  watch(all, () => { keep(inbox.state.me, all.value) }, { deep: true })

  /** Resolves when the server took it, or it was taken back, or the tries are used up (then it stands there as failed). Raises `Refused` when it is refused for good. */
  async function send(threadId: string, reply: Reply): Promise<void> {
    const newest = inbox.state.conversations.get(threadId)?.messages.at(-1)?.position ?? 0
    const held = preferences.undo
    // What is held must not be overtaken.
    if (!held) release(threadId)
    const item: Outgoing = {
      ...reply, key: newKey(), threadId, at: nowIso(), after: newest, due: now() + HOLD_MS, error: null,
      state: held ? 'held' : 'sending',
    }
    all.value.push(item)
    await (held ? hold(item.key) : enqueue(item))
  }

  /** What is let go joins its queue in the same step, so that nothing that is sent after it comes before it. */
  function hold(key: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { end(true) }, HOLD_MS)
      const end = (goes: boolean): void => {
        clearTimeout(timer)
        holds.delete(key)
        const item = find(key)
        if (!goes || !item) {
          resolve()
          return
        }
        item.state = 'sending'
        enqueue(item).then(resolve, reject)
      }
      holds.set(key, end)
    })
  }

  /** Lets go what is held, in one thread or in all. */
  function release(threadId?: string): void {
    for (const { key } of all.value.filter((item) => threadId === undefined || item.threadId === threadId)) holds.get(key)?.(true)
  }

  /** Takes a held reply back; undefined when it has left already. */
  function undo(key: string): Outgoing | undefined {
    const end = holds.get(key)
    if (end === undefined) return undefined
    const item = remove(key)
    end(false)
    return item
  }

  /** Tries a failed one again under its old key: if it had arrived after all, it is not sent twice. */
  function again(key: string): Promise<void> {
    const item = find(key)
    if (item?.state !== 'failed') return Promise.resolve()
    item.state = 'sending'
    item.error = null
    return enqueue(item)
  }

  function enqueue(item: Outgoing): Promise<void> {
    const before = queues.get(item.threadId) ?? Promise.resolve()
    const mine = before.then(() => deliver(item.key))
    queues.set(item.threadId, mine.catch(() => undefined))
    return mine
  }

  async function deliver(key: string): Promise<void> {
    const item = find(key)
    if (!item) return
    try {
      accept(item, await persist(() => post(item)))
    } catch (error) {
      if (!isPassing(error)) {
        remove(key)
        throw error
      }
      item.state = 'failed'
      item.error = error
    }
  }

  function accept(item: Outgoing, message: Message): void {
    remove(item.key)
    inbox.merge(inbox.state.cursor, (old) =>
      changeConversation(old, item.threadId, (conversation) =>
        // The feed may have been faster and know a later state of it.
        conversation.messages.some(({ id }) => id === message.id) ? conversation : putMessages(conversation, [message]),
      ),
    )
  }

  function remove(key: string): Outgoing | undefined {
    const item = find(key)
    all.value = all.value.filter((other) => other.key !== key)
    return item
  }

  function find(key: string): Outgoing | undefined {
    return all.value.find((item) => item.key === key)
  }

  /** The page goes: what is held, or was not answered yet, is sent on its way in a request that outlives the page. */
  function leave(): void {
    for (const item of all.value) if (item.state !== 'failed') parting(item)
  }

  /** Takes up what the page before this one had not confirmed. `refused` gets back what the server will not have. */
  function restore(refused: (item: Outgoing, error: unknown) => void): void {
    const { me } = inbox.state
    const fresh = kept(me).filter((item) => !find(item.key))
    for (const item of fresh) {
      const isKnown = now() - Date.parse(item.at) < KNOWN_MS
      all.value.push({ ...item, state: isKnown ? 'sending' : 'failed', error: null })
      if (isKnown) enqueue(item).catch((error: unknown) => { refused(item, error) })
    }
  }

  /** Resolves when nothing is held or on its way any more. */
  async function finish(): Promise<void> {
    release()
    await Promise.allSettled([...queues.values()])
  }

  /** After signing out nothing of this agent's stays. */
  function clear(): void {
    for (const end of [...holds.values()]) end(false)
    all.value = []
    sessionStorage.removeItem(KEY)
  }

  const held = computed(() => all.value.filter((item) => item.state === 'held'))

  return { all, held, send, again, remove, undo, release, leave, restore, finish, clear }
})

async function post(item: Outgoing): Promise<Message> {
  return await call(
    api.POST('/api/v1/threads/{thread_id}/messages', {
      params: { path: { thread_id: item.threadId } },
      headers: once(item.key),
      body: bodyOf(item),
    }),
  )
}

/** The same request as `post`, of the kind that a closing page may leave behind. Nobody hears its answer. */
function parting(item: Outgoing): void {
  void fetch(`${location.origin}/api/v1/threads/${encodeURIComponent(item.threadId)}/messages`, {
    method: 'POST',
    keepalive: true,
    headers: { ...once(item.key), 'Content-Type': 'application/json', Authorization: `Bearer ${readToken() ?? ''}` },
    body: JSON.stringify(bodyOf(item)),
  }).catch(() => undefined)
}

/** The body of the request that sends a reply, and of the one that asks what would become of it. */
export function bodyOf({ text, attachments, quickReplies, replyTo, rich }: Reply): NewReply {
  return {
    ...(text === '' ? {} : { text }),
    ...(attachments.length === 0 ? {} : { attachments: attachments.flatMap((media) => media.id ?? []) }),
    ...(quickReplies.length === 0 ? {} : { quick_replies: quickReplies }),
    ...(rich ? { content: rich.sent } : {}),
    ...(replyTo === null ? {} : { reply_to: replyTo.id }),
  }
}

function keep(me: string, items: readonly Outgoing[]): void {
  if (me === '') return
  if (items.length === 0) sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, JSON.stringify({ me, items: items.map((item) => ({ ...item, error: null })) }))
}

function kept(me: string): Outgoing[] {
  const text = sessionStorage.getItem(KEY)
  const found = text === null ? null : (JSON.parse(text) as { me: string; items: Outgoing[] })
  return found?.me === me ? found.items : []
}

/** Waits its time, and while the browser knows itself offline until it is back. */
async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  if (navigator.onLine) return
  await new Promise((resolve) => { addEventListener('online', resolve, { once: true }) })
}

async function persist<T>(attempt: () => Promise<T>): Promise<T> {
  for (const wait of WAITS_MS) {
    try {
      return await attempt()
    } catch (error) {
      if (!isPassing(error)) throw error
      await pause(wait)
    }
  }
  return await attempt()
}

/** Those that are not yet among the messages: the feed may bring the message before its request is answered. */
export function notYetShown(outgoing: readonly Outgoing[], messages: readonly Message[], me: string): Outgoing[] {
  return outgoing.filter((item) => item.state === 'held' || !messages.some((message) => isSame(message, item, me)))
}

function isSame(message: Message, item: Outgoing, me: string): boolean {
  if (message.direction !== 'out' || message.author.id !== me || message.position <= item.after) return false
  if (message.content.type === item.rich?.sent.type) return true
  return message.content.type === 'text' ? message.content.text === item.text : item.attachments.some((media) => media.id !== null && mediaId(message) === media.id)
}

function mediaId(message: Message): string | null {
  return 'media' in message.content ? (message.content.media?.id ?? null) : null
}
