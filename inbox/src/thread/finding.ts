import { nextTick, ref, type Ref } from 'vue'

import { useConversations } from '@/state/conversations'
import { useInbox } from '@/state/inbox'

/** Pages that are loaded at most to reach a message. */
const MOST_PAGES = 40
const PAGE = 100
const MARKED_MS = 2500

export interface Finding {
  find: (id: string, position?: number) => Promise<void>
  /** How far the way to a message is, from 0 to 1 (or -1 where that cannot be told); null when nothing is sought. */
  seeking: Ref<number | null>
  /** The message that was found, for a moment. */
  marked: Ref<string | null>
  /** It is not among what could be loaded. */
  missed: Ref<boolean>
}

/** Brings a message into view, loading what lies between. */
export function useFinding(threadId: string, content: Ref<HTMLElement | null>, leaveEnd: () => void): Finding {
  const inbox = useInbox()
  const conversations = useConversations()
  const seeking = ref<number | null>(null)
  const marked = ref<string | null>(null)
  const missed = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined

  const place = (id: string): HTMLElement | null => content.value?.querySelector<HTMLElement>(`[data-message="${CSS.escape(id)}"]`) ?? null

  function fraction(position: number | undefined): number {
    const messages = inbox.state.conversations.get(threadId)?.messages ?? []
    const [oldest, newest] = [messages[0]?.position ?? 0, messages.at(-1)?.position ?? 0]
    return position === undefined || newest <= position ? -1 : Math.min(1, (newest - oldest) / (newest - position))
  }

  async function load(id: string, position: number | undefined): Promise<void> {
    for (let page = 0; page < MOST_PAGES && place(id) === null; page += 1) {
      seeking.value = fraction(position)
      if ((inbox.state.conversations.get(threadId)?.earlier ?? null) === null) return
      await conversations.loadEarlier(threadId, PAGE)
      if (conversations.loadingOf(threadId).earlierError !== null) return
      await nextTick()
    }
  }

  async function find(id: string, position?: number): Promise<void> {
    if (seeking.value !== null) return
    missed.value = false
    const isNear = place(id) !== null
    seeking.value = -1
    await load(id, position)
    const found = place(id)
    missed.value = found === null
    if (found !== null) {
      leaveEnd()
      found.scrollIntoView({ block: 'center', behavior: isNear ? 'smooth' : 'auto' })
      found.focus({ preventScroll: true })
      mark(id)
    }
    seeking.value = null
  }

  function mark(id: string): void {
    marked.value = id
    clearTimeout(timer)
    timer = setTimeout(() => { marked.value = null }, MARKED_MS)
  }

  return { find, seeking, marked, missed }
}
