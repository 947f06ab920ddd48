import { Ban, Check, CheckCheck, CircleAlert, CircleHelp, Clock, ClockAlert, Pause, RotateCw, Send } from '@lucide/vue'
import type { Component } from 'vue'

import type { Delivery, DeliveryState, Message } from '@/api/types'

export type Tone = 'quiet' | 'good' | 'warn' | 'bad'

export interface StateLook {
  /** Key in the catalogue. */
  words: string
  icon: Component
  tone: Tone
}

/** state of a delivery → how it is shown. The words carry the meaning; icon and tone only repeat it. */
export const STATES: Record<DeliveryState, StateLook> = {
  queued: { words: 'delivery.queued', icon: Clock, tone: 'quiet' },
  sending: { words: 'delivery.sending', icon: Send, tone: 'quiet' },
  retrying: { words: 'delivery.retrying', icon: RotateCw, tone: 'warn' },
  held: { words: 'delivery.held', icon: Pause, tone: 'warn' },
  uncertain: { words: 'delivery.uncertain', icon: CircleHelp, tone: 'warn' },
  sent: { words: 'delivery.sent', icon: Check, tone: 'quiet' },
  delivered: { words: 'delivery.delivered', icon: CheckCheck, tone: 'quiet' },
  read: { words: 'delivery.read', icon: CheckCheck, tone: 'good' },
  failed: { words: 'delivery.failed', icon: CircleAlert, tone: 'bad' },
  expired: { words: 'delivery.expired', icon: ClockAlert, tone: 'bad' },
  suppressed: { words: 'delivery.suppressed', icon: Ban, tone: 'bad' },
  cancelled: { words: 'delivery.cancelled', icon: Ban, tone: 'quiet' },
}

const UNKNOWN: StateLook = { words: 'delivery.unknown', icon: CircleHelp, tone: 'warn' }

/** A state of a newer server is shown as unknown, never as success. */
export function lookOf(state: string): StateLook {
  return (STATES as Record<string, StateLook | undefined>)[state] ?? UNKNOWN
}

/** whose fault → key in the catalogue. */
export const WHOSE: Record<string, string> = {
  recipient: 'whose.recipient',
  content: 'whose.content',
  account: 'whose.account',
  platform: 'whose.platform',
  us: 'whose.us',
}

/** The delivery whose reason explains the message's state: the first that is not well, else the last. */
export function telling(message: Message): Delivery | null {
  const unwell = message.deliveries.find((delivery) => lookOf(delivery.state).tone === 'bad')
  const waiting = message.deliveries.find((delivery) => lookOf(delivery.state).tone === 'warn')
  return unwell ?? waiting ?? message.deliveries.at(-1) ?? null
}

/** How many parts of a message that went out in several have arrived at least at the platform. */
export function partsGone(message: Message): { gone: number; all: number } {
  const gone = message.deliveries.filter(({ state }) => state === 'sent' || state === 'delivered' || state === 'read').length
  return { gone, all: Math.max(message.deliveries.length, message.deliveries[0]?.parts ?? 0) }
}

export function maybeTwice(message: Message): boolean {
  return message.deliveries.some((delivery) => delivery.maybe_duplicate)
}
