import { watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'

import type { Message, ThreadSummary } from '@/api/types'
import { useInbox } from '@/state/inbox'
import { usePreferences } from '@/state/preferences'
import { KIND_WORDS } from '@/words/preview'

/** Only the first tab that hears of a message tells of it; the others find the lock taken. */
const HELD_MS = 3000

/** Desktop notifications and a sound for what customers write, unless the agent is looking at it. */
export function useAlerts(): void {
  const { t } = useI18n()
  const inbox = useInbox()
  const preferences = usePreferences()
  const router = useRouter()

  function isLooking(threadId: string): boolean {
    return document.visibilityState === 'visible' && document.hasFocus() && router.currentRoute.value.params['id'] === threadId
  }

  /** What others work on is theirs to hear. */
  function isMine(thread: ThreadSummary | undefined): boolean {
    return thread === undefined || thread.assignee === null || thread.assignee.id === inbox.state.me
  }

  function tell(message: Message): void {
    const thread = inbox.state.threads.get(message.thread_id)
    if (isLooking(message.thread_id) || !isMine(thread)) return
    void once(message.id, () => {
      if (preferences.sound) chime()
      if (preferences.notify && !document.hasFocus()) notify(message, thread)
    })
  }

  function notify(message: Message, thread: ThreadSummary | undefined): void {
    const { content } = message
    const title = thread?.contact.name ?? t('thread.nameless')
    const body = content.type === 'text' ? content.text.slice(0, 200) : t(KIND_WORDS[content.type] ?? 'kind.unsupported')
    show(title, { body, tag: message.thread_id, icon: `${import.meta.env.BASE_URL}icon-192.png` }, () => {
      window.focus()
      void router.push({ name: 'threads', params: { id: message.thread_id } })
    })
  }

  watch(() => inbox.arrivals, (arrivals) => { for (const message of arrivals) tell(message) })
}

async function once(id: string, work: () => void): Promise<void> {
  // Without HTTPS there are no locks; then every tab speaks for itself.
  if (!('locks' in navigator)) {
    work()
    return
  }
  await navigator.locks.request(`trunkline.alert.${id}`, { ifAvailable: true }, async (lock) => {
    if (lock === null) return
    work()
    await new Promise((resolve) => setTimeout(resolve, HELD_MS))
  })
}

function show(title: string, options: NotificationOptions, clicked: () => void): void {
  if (mayNotify() !== 'granted') return
  try {
    const shown = new Notification(title, options)
    shown.onclick = () => {
      clicked()
      shown.close()
    }
  } catch {
    // Telephones let only a service worker show it; a click there brings the app to the front.
    void navigator.serviceWorker.ready.then((registration) => registration.showNotification(title, options))
  }
}

export function mayNotify(): NotificationPermission | 'unsupported' {
  return 'Notification' in window ? Notification.permission : 'unsupported'
}

/** Two short tones, made here: no file, no other host. */
export function chime(): void {
  const context = new AudioContext()
  const tones = [[660, 0], [880, 0.12]] as const
  for (const [pitch, at] of tones) {
    const [tone, loudness] = [context.createOscillator(), context.createGain()]
    const start = context.currentTime + at
    tone.frequency.value = pitch
    loudness.gain.setValueAtTime(0.0001, start)
    loudness.gain.exponentialRampToValueAtTime(0.12, start + 0.02)
    loudness.gain.exponentialRampToValueAtTime(0.0001, start + 0.22)
    tone.connect(loudness).connect(context.destination)
    tone.start(start)
    tone.stop(start + 0.24)
  }
  setTimeout(() => { void context.close() }, 600)
}
