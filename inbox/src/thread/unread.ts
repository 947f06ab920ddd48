import { ref, watch, type Ref } from 'vue'

import { useInbox } from '@/state/inbox'

import { firstUnread } from './timeline'

/**
 * Where the line "New" stands: before what was unread when the thread was opened, or came while nobody looked.
 * It stays when the messages are read, until there is something newer that is unread.
 */
export function useUnreadLine(threadId: string, isRead: () => boolean): Ref<string | null> {
  const inbox = useInbox()
  const from = ref<string | null>(null)
  const unread = (): number => inbox.state.threads.get(threadId)?.unread ?? 0
  const mark = (): void => {
    from.value = firstUnread(inbox.state.conversations.get(threadId)?.messages ?? [], unread()) ?? from.value
  }
  mark()
  watch(unread, (now, before) => { if (before === 0 && now > 0 && !isRead()) mark() })
  return from
}
