import { defineStore } from 'pinia'
import { reactive, watch } from 'vue'

import type { QuickReply } from '@/api/types'

import type { Attachment } from './attachments'
import type { Reply } from './outgoing'

export interface Draft {
  mode: 'reply' | 'note'
  text: string
  note: string
  quickReplies: QuickReply[]
  replyTo: Reply['replyTo']
  attachments: Attachment[]
}

const KEY = 'trunkline.drafts'

/** What was typed and not sent, per thread; lives through a reload of the tab. */
export const useDrafts = defineStore('drafts', () => {
  const drafts = reactive(new Map<string, Draft>(stored()))

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

  function clear(): void {
    drafts.clear()
  }

  return { of, has, clear }
})

export function emptyDraft(): Draft {
  return { mode: 'reply', text: '', note: '', quickReplies: [], replyTo: null, attachments: [] }
}

function isEmpty(draft: Draft): boolean {
  return draft.text.trim() === '' && draft.note.trim() === '' && draft.attachments.length === 0
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
