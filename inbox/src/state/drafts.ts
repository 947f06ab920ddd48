import { defineStore } from 'pinia'
import { reactive, shallowReactive, shallowRef, watch } from 'vue'

import { newKey } from '@/api/client'
import type { Media, QuickReply } from '@/api/types'

import type { Attachment } from './attachments'
import type { Reply, Rich } from './outgoing'

export interface Draft {
  mode: 'reply' | 'note'
  text: string
  note: string
  quickReplies: QuickReply[]
  replyTo: Reply['replyTo']
  attachments: Attachment[]
  /** The one card, place or template that goes out after the text. */
  rich: Rich | null
}

const KEY = 'trunkline.drafts'

/** What was typed and not sent, per thread; lives through a reload of the tab. */
export const useDrafts = defineStore('drafts', () => {
  const drafts = reactive(new Map<string, Draft>(stored()))
  /** Grows when something came back into a thread's draft, for the composer that may stand there. */
  const returned = shallowRef<{ threadId: string } | null>(null)
  /** Why the server refused what is back in the draft, by thread. */
  const refusals = shallowReactive(new Map<string, unknown>())

  watch(drafts, () => { sessionStorage.setItem(KEY, JSON.stringify(storable(drafts))) }, { deep: true })

  function of(threadId: string): Draft {
    if (!drafts.has(threadId)) drafts.set(threadId, emptyDraft())
    return drafts.get(threadId) as Draft
  }

  /** Whether something is waiting in a thread, for the mark in the list. */
  function has(threadId: string): boolean {
    const draft = drafts.get(threadId)
    return draft !== undefined && !isEmpty(draft)
  }

  /** A reply that did not go out comes back, before what was typed since. */
  function putBack(threadId: string, reply: Reply, refusal: unknown = null): void {
    const draft = of(threadId)
    draft.text = [reply.text, draft.text].filter((text) => text !== '').join('\n')
    draft.quickReplies = reply.quickReplies
    draft.replyTo = reply.replyTo
    draft.rich = reply.rich ?? draft.rich
    draft.mode = 'reply'
    for (const media of reply.attachments) draft.attachments.push(inTray(media))
    if (refusal !== null) refusals.set(threadId, refusal)
    returned.value = { threadId }
  }

  function clear(): void {
    drafts.clear()
    refusals.clear()
  }

  return { of, has, putBack, returned, refusals, clear }
})

export function emptyDraft(): Draft {
  return { mode: 'reply', text: '', note: '', quickReplies: [], replyTo: null, attachments: [], rich: null }
}

/** A file that is on the server already. */
function inTray(media: Media): Attachment {
  return {
    id: newKey(), name: media.name ?? '', mime: media.mime ?? '', size: media.size ?? 0,
    progress: 1, state: 'ready', error: null, refusal: null, media,
  }
}

function isEmpty(draft: Draft): boolean {
  return draft.text.trim() === '' && draft.note.trim() === '' && draft.attachments.length === 0 && draft.rich === null
}

function storable(drafts: Map<string, Draft>): [string, Draft][] {
  return [...drafts]
    .filter(([, draft]) => !isEmpty(draft))
    .map(([id, draft]) => [id, { ...draft, attachments: draft.attachments.filter(({ state }) => state === 'ready') }])
}

function stored(): [string, Draft][] {
  const text = sessionStorage.getItem(KEY)
  const kept = text === null ? [] : (JSON.parse(text) as [string, Partial<Draft>][])
  // What an older version of the page kept may lack what this one needs.
  return kept.map(([id, draft]) => [id, { ...emptyDraft(), ...draft }])
}
