import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { api, call, newKey, once } from '@/api/client'
import { isPassing } from '@/api/problem'
import type { Media, Message, QuickReply } from '@/api/types'
import { nowIso } from '@/clock'
import { putMessages } from '@/live/conversation'
import { changeConversation } from '@/live/reducer'

import { useInbox } from './inbox'

export interface Reply {
  text: string
  attachments: Media[]
  quickReplies: QuickReply[]
  replyTo: { id: string; preview: string } | null
}

/** A reply that the server has not confirmed yet. */
export interface Outgoing extends Reply {
  /** The Idempotency-Key: the same for every try of this reply. */
  key: string
  threadId: string
  at: string
  /** Position of the newest message when it was sent. */
  after: number
  state: 'sending' | 'failed'
  error: unknown
}

const WAITS_MS = [1000, 3000, 6000]

/** Replies on their way to the server: shown at once, sent in order, repeated under the same key when no answer comes. */
export const useOutgoing = defineStore('outgoing', () => {
  const inbox = useInbox()
  const all = ref<Outgoing[]>([])
  const queues = new Map<string, Promise<unknown>>()

  /** Resolves when the server took it or the tries are used up (then it stands there as failed). Raises `Refused` when it is refused for good. */
  function send(threadId: string, reply: Reply): Promise<void> {
    const newest = inbox.state.conversations.get(threadId)?.messages.at(-1)?.position ?? 0
    const item: Outgoing = { ...reply, key: newKey(), threadId, at: nowIso(), after: newest, state: 'sending', error: null }
    all.value.push(item)
    return enqueue(item)
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

  const unconfirmed = computed(() => all.value.some((item) => item.state === 'sending'))

  return { all, unconfirmed, send, again, remove }
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

function bodyOf({ text, attachments, quickReplies, replyTo }: Reply): Record<string, unknown> {
  return {
    ...(text === '' ? {} : { text }),
    ...(attachments.length === 0 ? {} : { attachments: attachments.flatMap((media) => media.id ?? []) }),
    ...(quickReplies.length === 0 ? {} : { quick_replies: quickReplies }),
    ...(replyTo === null ? {} : { reply_to: replyTo.id }),
  }
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
  return outgoing.filter((item) => !messages.some((message) => isSame(message, item, me)))
}

function isSame(message: Message, item: Outgoing, me: string): boolean {
  if (message.direction !== 'out' || message.author.id !== me || message.position <= item.after) return false
  return message.content.type === 'text' ? message.content.text === item.text : item.attachments.some((media) => media.id !== null && mediaId(message) === media.id)
}

function mediaId(message: Message): string | null {
  return 'media' in message.content ? (message.content.media?.id ?? null) : null
}
