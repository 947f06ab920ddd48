import { useI18n } from 'vue-i18n'

import type { DeliveryState, FeedEvent } from '@/api/types'

import { lookOf } from './delivery'

/** kind of event → key of its sentence. A kind that is not here is told by its name: nothing is hidden. */
const SENTENCES: Record<string, string> = {
  created: 'history.created',
  message_received: 'history.received',
  reply_sent: 'history.replied',
  delivery_changed: 'history.delivery',
  delivery_failed: 'history.deliveryFailed',
  delivery_suppressed: 'history.deliveryFailed',
  message_edited: 'history.edited',
  message_recalled: 'history.recalled',
  media_changed: 'history.media',
  contact_changed: 'history.contact',
  read: 'history.read',
  assigned: 'history.assigned',
  unassigned: 'history.unassigned',
  closed: 'history.closed',
  reopened: 'history.reopened',
  note_created: 'history.noted',
  note_deleted: 'history.noteDeleted',
  reachability_changed: 'history.reachability',
}

interface Told {
  assignee?: { name?: string }
  emoji?: string | null
  delivery?: { state?: DeliveryState; reason?: { text?: string } | null }
}

/** An event as one sentence, with the name of who did it. */
export function useHistoryWords(): (event: FeedEvent) => string {
  const { t } = useI18n()
  return (event) => {
    const { assignee, delivery, emoji } = event.payload as Told
    const who = event.actor.name ?? t(`actor.${event.actor.kind}`)
    return t(sentenceOf(event), {
      who,
      kind: event.kind,
      assignee: assignee?.name ?? '',
      emoji: emoji ?? '',
      state: delivery?.state ? t(lookOf(delivery.state).words) : '',
      reason: delivery?.reason?.text ?? '',
    })
  }
}

function sentenceOf({ kind, payload }: FeedEvent): string {
  if (kind === 'reacted') return (payload as Told).emoji ? 'history.reacted' : 'history.unreacted'
  return SENTENCES[kind] ?? 'history.other'
}
