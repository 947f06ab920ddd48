import { onBeforeUnmount, onMounted } from 'vue'

type Handlers = Record<string, (event: KeyboardEvent) => void>

/**
 * Single keys that act on the page while this component stands.
 * They are silent while somebody types, holds a modifier, or has a dialog or menu open.
 */
export function useShortcuts(handlers: Handlers): void {
  function press(event: KeyboardEvent): void {
    const handler = handlers[event.key]
    if (handler === undefined || event.defaultPrevented || isBusy(event)) return
    event.preventDefault()
    handler(event)
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
