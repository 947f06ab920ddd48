import { Cancelled, upload } from '@/api/upload'
import { newKey } from '@/api/client'
import type { Composer, KindLimits, Media } from '@/api/types'

/** A file in the composer. Plain data, so that it can be kept with the draft. */
export interface Attachment {
  id: string
  name: string
  mime: string
  size: number
  /** From 0 to 1. */
  progress: number
  state: 'uploading' | 'ready' | 'failed' | 'refused'
  error: unknown
  /** Why this channel cannot carry it. */
  refusal: Refusal | null
  media: Media | null
}

export interface Refusal {
  why: 'kind' | 'mime' | 'size'
  /** Bytes, for `size`. */
  max: number | null
}

export type FileKind = 'image' | 'video' | 'audio' | 'file'

/** The desk's own limit for one file. */
export const MAX_BYTES = 25 * 1024 * 1024

/** The kind under which the desk sends a file: by the first half of its type. */
export function kindOf(mime: string): FileKind {
  return (['image', 'video', 'audio'] as const).find((kind) => mime.startsWith(`${kind}/`)) ?? 'file'
}

/** What becomes of a file on a channel that does not carry it as it is, in the channel's words. */
export function noteOf(mime: string, composer: Composer): string | null {
  return composer.content[kindOf(mime)]?.note ?? null
}

function isCarried(limits: KindLimits | undefined): boolean {
  return limits !== undefined && limits.level !== 'rejected' && limits.level !== 'dropped'
}

/** Why the channel would not take a file, or null. The server has the last word; this saves the upload. */
export function refusalOf(file: { type: string; size: number }, composer: Composer): Refusal | null {
  const limits = composer.content[kindOf(file.type)]
  if (!isCarried(limits)) return { why: 'kind', max: null }
  // What goes out as something else (a link) is not bound by the limits of its kind.
  const { mimes, max_bytes } = limits?.level === 'fallback' ? {} : (limits ?? {})
  if (!isAllowed(file.type, mimes)) return { why: 'mime', max: null }
  const max = Math.min(max_bytes ?? MAX_BYTES, MAX_BYTES)
  return file.size > max ? { why: 'size', max } : null
}

function isAllowed(mime: string, mimes: string[] | null | undefined): boolean {
  if (!mimes || mimes.length === 0) return true
  return mimes.some((pattern) => pattern === '*/*' || pattern === mime || (pattern.endsWith('/*') && mime.startsWith(pattern.slice(0, -1))))
}

/** The upload that runs for an attachment, by its id; not part of the draft because it cannot be kept. */
const running = new Map<string, { file: File; cancel: () => void }>()

/** Adds a file to a draft's attachments and begins to upload it, unless the channel refuses it. */
export function attach(list: Attachment[], file: File, composer: Composer): void {
  const refusal = refusalOf(file, composer)
  list.push({
    id: newKey(), name: file.name, mime: file.type, size: file.size,
    progress: 0, state: refusal ? 'refused' : 'uploading', error: null, refusal, media: null,
  })
  const mine = list.at(-1)
  if (mine && !refusal) void begin(mine, file)
}

export function retry(attachment: Attachment): void {
  const file = running.get(attachment.id)?.file
  if (file) void begin(attachment, file)
}

export function detach(list: Attachment[], id: string): void {
  running.get(id)?.cancel()
  running.delete(id)
  const at = list.findIndex((attachment) => attachment.id === id)
  if (at >= 0) list.splice(at, 1)
}

async function begin(attachment: Attachment, file: File): Promise<void> {
  attachment.state = 'uploading'
  attachment.error = null
  const { done, cancel } = upload(file, (fraction) => { attachment.progress = fraction })
  running.set(attachment.id, { file, cancel })
  try {
    attachment.media = await done
    attachment.state = 'ready'
    running.delete(attachment.id)
  } catch (error) {
    if (error instanceof Cancelled) return
    attachment.state = 'failed'
    attachment.error = error
  }
}
