import { computed, ref, watch, type ComputedRef, type Ref } from 'vue'

import type { CannedReply } from '@/api/types'
import { useCanned } from '@/state/canned'

import { fill, meant, slashAt, type Slash, type Values } from './canned'

/** Shown at once at most; more typing finds the rest. */
const MOST = 8

export interface Choosing {
  options: ComputedRef<CannedReply[]>
  /** The one on which the keys stand. */
  at: Ref<number>
  isOpen: ComputedRef<boolean>
  /** Call it after every change of the text or the caret. */
  look: () => void
  choose: (reply: CannedReply) => void
  /** Handles the keys of the open list; true when the key was one of them. */
  press: (event: KeyboardEvent) => boolean
  /** Begins a word with a slash where the caret is. */
  begin: () => void
}

/** Canned replies in the composer: a slash at the beginning of a word offers them. */
export function useChoosing(area: Ref<HTMLTextAreaElement | null>, text: Ref<string>, values: () => Values): Choosing {
  const canned = useCanned()
  const slash = ref<Slash | null>(null)
  const at = ref(0)
  const options = computed(() => (slash.value === null ? [] : meant(canned.all, slash.value.typed).slice(0, MOST)))
  const isOpen = computed(() => slash.value !== null && (options.value.length > 0 || slash.value.typed === ''))

  function look(): void {
    const box = area.value
    slash.value = box === null || box.selectionStart !== box.selectionEnd ? null : slashAt(box.value, box.selectionStart)
    if (slash.value !== null) void canned.ensure()
  }

  function choose(reply: CannedReply): void {
    const box = area.value
    const place = slash.value
    if (!box || !place) return
    const filled = fill(reply.text, values())
    // As typed by hand, so that the browser's own undo takes it back.
    box.focus()
    box.setSelectionRange(place.start, place.start + place.typed.length + 1)
    if (!insertTyped(filled)) {
      text.value = text.value.slice(0, place.start) + filled + text.value.slice(place.start + place.typed.length + 1)
    }
    slash.value = null
  }

  const KEYS: Record<string, () => void> = {
    ArrowDown: () => { at.value = (at.value + 1) % Math.max(1, options.value.length) },
    ArrowUp: () => { at.value = (at.value + options.value.length - 1) % Math.max(1, options.value.length) },
    Enter: take,
    Tab: take,
    Escape: () => { slash.value = null },
  }

  function take(): void {
    const reply = options.value[at.value]
    if (reply) choose(reply)
  }

  function press(event: KeyboardEvent): boolean {
    const work = KEYS[event.key]
    if (!isOpen.value || work === undefined || event.isComposing || (options.value.length === 0 && event.key !== 'Escape')) return false
    event.preventDefault()
    event.stopPropagation()
    work()
    return true
  }

  function begin(): void {
    const box = area.value
    if (!box) return
    box.focus()
    const before = box.value.slice(0, box.selectionStart)
    const piece = before === '' || /\s$/u.test(before) ? '/' : ' /'
    if (!insertTyped(piece)) text.value = `${text.value}${piece}`
    look()
  }

  watch(options, () => { at.value = 0 })
  return { options, at, isOpen, look, choose, press, begin }
}

/** Types for the agent; false where the browser cannot. The old command is the only one that the undo of the browser knows. */
function insertTyped(text: string): boolean {
  return typeof document.execCommand === 'function' && document.execCommand('insertText', false, text)
}
