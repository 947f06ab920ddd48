import { nextTick, onBeforeUnmount, onMounted, ref, watch, type Ref } from 'vue'

/** Nearer than this to the end counts as reading the newest. */
const NEAR_END_PX = 80
const NEAR_TOP_PX = 400

export interface Scrolling {
  atEnd: Ref<boolean>
  toEnd: () => void
  /** The reader was taken elsewhere: what grows does not bring them back. */
  leaveEnd: () => void
}

/**
 * Keeps a conversation where its reader is: at the end while they read the newest, on the same message
 * while older ones are put above it or pictures grow.
 */
export function useScrolling(
  scroller: Ref<HTMLElement | null>,
  content: Ref<HTMLElement | null>,
  firstKey: () => string | undefined,
  onNearTop: () => void,
): Scrolling {
  const atEnd = ref(true)
  let lastTop = 0

  function toEnd(): void {
    const box = scroller.value
    if (box) box.scrollTop = box.scrollHeight
    lastTop = box?.scrollTop ?? 0
    atEnd.value = true
  }

  function moved(): void {
    const box = scroller.value
    if (!box) return
    const isNear = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX
    // What grows below does not mean that the reader went up.
    if (isNear || box.scrollTop < lastTop) atEnd.value = isNear
    lastTop = box.scrollTop
    if (box.scrollTop < NEAR_TOP_PX) onNearTop()
  }

  /** Older messages came above: the distance to the end stays what it was. */
  watch(firstKey, async () => {
    const box = scroller.value
    if (!box || atEnd.value) return
    const fromEnd = box.scrollHeight - box.scrollTop
    await nextTick()
    box.scrollTop = box.scrollHeight - fromEnd
  }, { flush: 'pre' })

  const grown = new ResizeObserver(() => {
    if (atEnd.value) toEnd()
  })
  onMounted(() => {
    const box = scroller.value
    box?.addEventListener('scroll', moved, { passive: true })
    if (box) grown.observe(box)
    if (content.value) grown.observe(content.value)
    toEnd()
    moved()
  })
  onBeforeUnmount(() => { grown.disconnect() })
  function leaveEnd(): void {
    atEnd.value = false
  }

  return { atEnd, toEnd, leaveEnd }
}
