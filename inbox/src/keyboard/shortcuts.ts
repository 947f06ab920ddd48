import { onBeforeUnmount, onMounted } from 'vue'

import { now } from '@/clock'

type Handlers = Record<string, (event: KeyboardEvent) => void>

/** Two keys are one shortcut when the second follows within this time. */
const PAIR_MS = 1200

/**
 * Single keys, or two in a row ("g i"), that act on the page while this component stands.
 * They are silent while somebody types, holds a modifier, or has a dialog or menu open.
 */
export function useShortcuts(handlers: Handlers): void {
  const starts = new Set(Object.keys(handlers).flatMap((keys) => (keys.includes(' ') ? [keys.split(' ')[0] ?? ''] : [])))
  let pending = { key: '', at: 0 }

  function press(event: KeyboardEvent): void {
    if (event.defaultPrevented || isBusy(event)) return
    const pair = now() - pending.at < PAIR_MS ? handlers[`${pending.key} ${event.key}`] : undefined
    const handler = pair ?? handlers[event.key]
    pending = { key: starts.has(event.key) ? event.key : '', at: now() }
    if (handler === undefined) return
    event.preventDefault()
    handler(event)
  }
  onMounted(() => { addEventListener('keydown', press) })
  onBeforeUnmount(() => { removeEventListener('keydown', press) })
}

/** Ctrl or ⌘ with a key, wherever the focus is. */
export function useChord(key: string, work: () => void): void {
  function press(event: KeyboardEvent): void {
    if (event.key.toLowerCase() !== key || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
    event.preventDefault()
    work()
  }
  onMounted(() => { addEventListener('keydown', press) })
  onBeforeUnmount(() => { removeEventListener('keydown', press) })
}

function isBusy(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target) || isOverlaid()
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input:not([type=radio], [type=checkbox]), textarea, select'))
}

function isOverlaid(): boolean {
  return document.querySelector('[role=dialog], [role=alertdialog], [role=menu]') !== null
}
