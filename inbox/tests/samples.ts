import type { Composer, Delivery, FeedEvent, Message, Note, Thread, ThreadSummary } from '@/api/types'

/** Values with which a test can begin; it changes what it is about. */
export function aThread(change: Partial<ThreadSummary> = {}): ThreadSummary {
  return {
    id: 't1', account_id: 'shop', channel: 'sample', channel_title: 'Sample Chat',
    contact: { id: 'c1', name: 'Kim', avatar: null }, state: 'new', assignee: null, unread: 0,
    last_message_at: '2026-11-21T10:00:00.000Z', last_position: 1,
    preview: { author: 'contact', type: 'text', text: 'Hello' },
    first_unanswered_at: null, window: null, reachable: true, round: 1, ...change,
  }
}

export function aComposer(change: Partial<Composer> = {}): Composer {
  return {
    content: {
      text: { level: 'full', max: 100, unit: 'utf16' },
      image: { level: 'full', mimes: ['image/png', 'image/jpeg'], max_bytes: 1000 },
      video: { level: 'fallback', mimes: ['video/x-none'], max_bytes: 1, note: 'Films go out as a link.' },
      file: { level: 'rejected' },
    },
    quick_replies: null, items_per_request: 5, extras: [], cost: 'free', free_until: null, quota_left: null, ...change,
  }
}

export function aFullThread(change: Partial<Thread> = {}): Thread {
  return { ...aThread(), composer: aComposer(), identities: [], ...change }
}

export function aMessage(change: Partial<Message> = {}): Message {
  return {
    id: 'm1', thread_id: 't1', position: 1, direction: 'in', author: { kind: 'contact', id: 'c1', name: 'Kim' },
    content: { type: 'text', text: 'Hello' }, quick_replies: [], reply_to: null,
    at: '2026-11-21T10:00:00.000Z', platform_at: null, late: false, edited_at: null, previous: [], recalled_at: null,
    placeholder: null, deliveries: [], delivery_state: null, retryable: false, ...change,
  }
}

export function aDelivery(change: Partial<Delivery> = {}): Delivery {
  return {
    id: 'd1', part: 1, parts: 1, state: 'sent', reason: null, attempts: 1, next_attempt_at: null,
    at: '2026-11-21T10:00:00.000Z', maybe_duplicate: false, level: 'full', cost: null, ...change,
  }
}

export function aNote(change: Partial<Note> = {}): Note {
  return { id: 'n1', thread_id: 't1', author: { id: 'ada', name: 'Ada' }, text: 'Careful', at: '2026-11-21T10:00:30.000Z', ...change }
}

export function anEvent(seq: number, kind: string, payload: object, threadId: string | null = 't1'): FeedEvent {
  return {
    seq, kind, thread_id: threadId, at: '2026-11-21T10:00:00.000Z',
    actor: { kind: 'system', id: null, name: null }, payload: payload as FeedEvent['payload'],
  }
}
