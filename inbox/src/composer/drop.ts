import { onBeforeUnmount, onMounted, ref, type Ref } from 'vue'

/** Files dropped anywhere on the page: a drop beside the box must not make the browser leave for the file. */
export function useFileDrop(take: (files: File[]) => void): Ref<boolean> {
  const over = ref(false)
  let depth = 0

  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false
  const handlers: Record<string, (event: DragEvent) => void> = {
    dragenter: () => { depth += 1 },
    dragleave: () => { depth -= 1 },
    dragover: () => undefined,
    drop: (event) => {
      depth = 0
      take([...(event.dataTransfer?.files ?? [])])
    },
  }

  function handle(event: Event): void {
    if (!(event instanceof DragEvent) || !carriesFiles(event)) return
    event.preventDefault()
    handlers[event.type]?.(event)
    over.value = depth > 0
  }

  onMounted(() => { for (const name of Object.keys(handlers)) addEventListener(name, handle) })
  onBeforeUnmount(() => { for (const name of Object.keys(handlers)) removeEventListener(name, handle) })
  return over
}
