import { computed, ref, type ComputedRef, type Ref } from 'vue'

import { api, call, newKey, once } from '@/api/client'
import type { Composer } from '@/api/types'
import { putNote } from '@/live/conversation'
import { changeConversation } from '@/live/reducer'
import { useDrafts, type Draft } from '@/state/drafts'
import { useInbox } from '@/state/inbox'
import { useOutgoing, type Reply } from '@/state/outgoing'

import { badTitles } from './budget'

export interface Sending {
  maySend: ComputedRef<boolean>
  /** Why the server refused the last one; the text is back in the draft. */
  error: Ref<unknown>
  busy: Ref<boolean>
  send: () => Promise<void>
}

/** Sends what stands in a draft: a reply through the queue of outgoing ones, or a note. */
export function useSending(threadId: string, draft: Draft, composer: () => Composer): Sending {
  const inbox = useInbox()
  const outgoing = useOutgoing()
  const drafts = useDrafts()
  const error = computed<unknown>({
    get: () => drafts.refusals.get(threadId) ?? null,
    set: (value) => {
      if (value === null) drafts.refusals.delete(threadId)
      else drafts.refusals.set(threadId, value)
    },
  })
  const busy = ref(false)
  /** The key of the note that is being tried, kept while its text is the same. */
  let noteTry = { text: '', key: '' }

  const maySend = computed(() => {
    if (draft.mode === 'note') return draft.note.trim() !== '' && !busy.value
    const { quick_replies: limits } = composer()
    const hasContent = draft.text.trim() !== '' || draft.attachments.length > 0 || draft.rich !== null
    const filesReady = draft.attachments.every(({ state }) => state === 'ready')
    return hasContent && filesReady && (limits === null || badTitles(draft.quickReplies, limits).length === 0)
  })

  async function send(): Promise<void> {
    if (!maySend.value) return
    error.value = null
    await (draft.mode === 'note' ? sendNote() : sendReply())
  }

  async function sendReply(): Promise<void> {
    const reply = take(draft)
    try {
      await outgoing.send(threadId, reply)
    } catch (refusal) {
      drafts.putBack(threadId, reply, refusal)
    }
  }

  async function sendNote(): Promise<void> {
    busy.value = true
    const text = draft.note.trim()
    if (noteTry.text !== text) noteTry = { text, key: newKey() }
    try {
      const request = call(api.POST('/api/v1/threads/{thread_id}/notes', {
        params: { path: { thread_id: threadId } }, headers: once(noteTry.key), body: { text },
      }))
      await inbox.take(request, (old, note) => changeConversation(old, threadId, (conversation) => putNote(conversation, note)))
      draft.note = ''
      noteTry = { text: '', key: '' }
    } catch (failure) {
      error.value = failure
    } finally {
      busy.value = false
    }
  }

  return { maySend, error, busy, send }
}

/** Empties the draft in the same step, so that a second click finds nothing left to send. */
function take(draft: Draft): Reply {
  const reply = replyOf(draft)
  Object.assign(draft, { text: '', quickReplies: [], replyTo: null, rich: null })
  draft.attachments.splice(0)
  return reply
}

/** What would be sent now. */
export function replyOf(draft: Draft): Reply {
  return {
    text: draft.text.trim(),
    attachments: draft.attachments.flatMap(({ media }) => media ?? []),
    quickReplies: draft.quickReplies.filter(({ title }) => title.trim() !== '').map(({ title }) => ({ title: title.trim(), data: title.trim() })),
    replyTo: draft.replyTo,
    rich: draft.rich,
  }
}
