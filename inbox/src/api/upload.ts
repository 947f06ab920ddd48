import { newKey, noteUnauthorised } from './client'
import { refusal, Unreachable } from './problem'
import { readToken } from './token'
import type { Media } from './types'

export interface Upload {
  readonly done: Promise<Media>
  cancel(): void
}

export class Cancelled extends Error {
  override readonly name = 'Cancelled'
}

/**
 * Sends a file with progress (`fraction` from 0 to 1), which fetch cannot tell.
 *
 * `done` rejects with `Refused`, `Unreachable` or `Cancelled`.
 */
export function upload(file: File, onProgress: (fraction: number) => void): Upload {
  const request = new XMLHttpRequest()
  request.open('POST', `/api/v1/media?name=${encodeURIComponent(file.name)}`)
  for (const [name, value] of headersFor(file)) request.setRequestHeader(name, value)
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) onProgress(event.loaded / event.total)
  }
  const done = new Promise<Media>((resolve, reject) => {
    request.onload = () => { settle(request, resolve, reject) }
    request.onerror = () => { reject(new Unreachable('The upload was interrupted.')) }
    request.onabort = () => { reject(new Cancelled()) }
  })
  request.send(file)
  return { done, cancel: () => { request.abort() } }
}

function headersFor(file: File): [string, string][] {
  return [
    ['Authorization', `Bearer ${readToken() ?? ''}`],
    ['Content-Type', file.type || 'application/octet-stream'],
    ['Idempotency-Key', newKey()],
  ]
}

function settle(request: XMLHttpRequest, resolve: (media: Media) => void, reject: (error: Error) => void): void {
  const body = parsed(request.responseText)
  if (request.status >= 200 && request.status < 300) {
    resolve(body as Media)
    return
  }
  if (request.status === 401) noteUnauthorised()
  reject(refusal(request.status, body))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}
