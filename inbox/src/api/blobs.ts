import { api, call } from './client'

export type Variant = 'original' | 'preview'

/** How many files stay in memory after the last component that shows them is gone. */
const SPARE = 60

interface Entry {
  url: Promise<string>
  users: number
}

/**
 * Files of the desk as blob addresses: `<img>` and `<audio>` cannot send a bearer token themselves.
 * Shared by all components that show the same file; forgotten oldest first when nobody does.
 */
class BlobCache {
  private readonly entries = new Map<string, Entry>()

  take(mediaId: string, variant: Variant): Promise<string> {
    const key = `${variant}/${mediaId}`
    const entry = this.entries.get(key) ?? { url: this.load(key, mediaId, variant), users: 0 }
    entry.users += 1
    this.entries.delete(key)
    this.entries.set(key, entry)
    return entry.url
  }

  release(mediaId: string, variant: Variant): void {
    const entry = this.entries.get(`${variant}/${mediaId}`)
    if (entry) entry.users -= 1
    this.forgetSpare()
  }

  clear(): void {
    for (const key of [...this.entries.keys()]) this.forget(key)
  }

  private async load(key: string, mediaId: string, variant: Variant): Promise<string> {
    try {
      return URL.createObjectURL(await fetchMedia(mediaId, variant))
    } catch (error) {
      this.entries.delete(key)
      throw error
    }
  }

  private forgetSpare(): void {
    const spare = [...this.entries].filter(([, entry]) => entry.users <= 0)
    for (const [key] of spare.slice(0, Math.max(0, spare.length - SPARE))) this.forget(key)
  }

  private forget(key: string): void {
    const entry = this.entries.get(key)
    this.entries.delete(key)
    void entry?.url.then((url) => { URL.revokeObjectURL(url) }, () => undefined)
  }
}

export const blobs = new BlobCache()

/** Raises `Refused` or `Unreachable`. */
export async function fetchMedia(mediaId: string, variant: Variant): Promise<Blob> {
  return await call(
    api.GET('/api/v1/media/{media_id}', {
      params: { path: { media_id: mediaId }, query: { variant } },
      parseAs: 'blob',
    }),
  ) as unknown as Blob
}
