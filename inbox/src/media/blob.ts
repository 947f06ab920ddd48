import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'

import { blobs, fetchMedia, type Variant } from '@/api/blobs'
import type { Media } from '@/api/types'

export interface BlobHandle {
  url: Ref<string | null>
  error: Ref<unknown>
  busy: Ref<boolean>
  load: () => Promise<void>
}

/** The blob address of a file, fetched when there is a file (or, with `lazy`, when `load` is called) and freed with the component. */
export function useBlob(media: Ref<Media | null>, variant: Variant, lazy = false): BlobHandle {
  const url = ref<string | null>(null)
  const error = shallowRef<unknown>(null)
  const busy = ref(false)
  let held: string | null = null

  async function load(): Promise<void> {
    const id = media.value?.id ?? null
    if (id === null || held === id) return
    free()
    held = id
    busy.value = true
    error.value = null
    try {
      const address = await blobs.take(id, variant)
      if (held === id) url.value = address
    } catch (failure) {
      held = null
      error.value = failure
    } finally {
      busy.value = false
    }
  }

  function free(): void {
    if (held !== null) blobs.release(held, variant)
    held = null
    url.value = null
  }

  watch(() => media.value?.id, () => {
    free()
    if (!lazy) void load()
  }, { immediate: true })
  onScopeDispose(free)
  return { url, error, busy, load }
}

/** Hands a file to the browser's downloads. As bytes without a type, so that no customer's HTML is ever opened as our page. */
export async function download(media: Media): Promise<void> {
  if (media.id === null) return
  const bytes = await fetchMedia(media.id, 'original')
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }))
  const link = document.createElement('a')
  link.href = url
  link.download = media.name ?? media.id
  link.click()
  setTimeout(() => { URL.revokeObjectURL(url) }, 60_000)
}
