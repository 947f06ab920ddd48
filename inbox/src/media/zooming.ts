import { computed, nextTick, onScopeDispose, ref, watch, type ComputedRef, type Ref } from 'vue'

const STEP = 1.5
const MOST = 8

export interface Zooming {
  zoom: Ref<number>
  /** Width and height of the picture on the screen; null before it is known. */
  size: ComputedRef<{ width: string; height: string } | null>
  loaded: (event: Event) => void
  by: (steps: number) => void
  fit: () => void
  drag: (event: PointerEvent) => void
}

/** A picture in a box that scrolls: 1 fits into the box, larger is looked at piece by piece. */
export function useZooming(stage: Ref<HTMLElement | null>): Zooming {
  const zoom = ref(1)
  const natural = ref<{ width: number; height: number } | null>(null)
  const room = ref({ width: 0, height: 0 })
  const observer = new ResizeObserver(() => { measure() })

  const size = computed(() => {
    if (natural.value === null || room.value.width === 0) return null
    const { width, height } = natural.value
    const scale = Math.min(room.value.width / width, room.value.height / height, 1) * zoom.value
    return { width: `${Math.round(width * scale)}px`, height: `${Math.round(height * scale)}px` }
  })

  function measure(): void {
    const box = stage.value
    if (box) room.value = { width: box.clientWidth, height: box.clientHeight }
  }

  function loaded(event: Event): void {
    const { naturalWidth: width, naturalHeight: height } = event.target as HTMLImageElement
    natural.value = { width, height }
    measure()
  }

  /** What is in the middle stays there. */
  function to(value: number): void {
    const box = stage.value
    const before = zoom.value
    zoom.value = Math.max(1, Math.min(MOST, value))
    if (!box) return
    const [x, y] = [box.scrollLeft + box.clientWidth / 2, box.scrollTop + box.clientHeight / 2]
    void nextTick(() => {
      const ratio = zoom.value / before
      box.scrollLeft = x * ratio - box.clientWidth / 2
      box.scrollTop = y * ratio - box.clientHeight / 2
    })
  }

  function drag(event: PointerEvent): void {
    const box = stage.value
    if (!box || event.buttons !== 1 || zoom.value === 1) return
    box.scrollLeft -= event.movementX
    box.scrollTop -= event.movementY
  }

  watch(stage, (box) => {
    observer.disconnect()
    if (box) observer.observe(box)
  })
  onScopeDispose(() => { observer.disconnect() })
  return { zoom, size, loaded, by: (steps) => { to(zoom.value * STEP ** steps) }, fit: () => { to(1) }, drag }
}
