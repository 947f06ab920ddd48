import type { Socket } from './feed'

/** Opens the live feed of the server that this page came from. */
export function openSocket(cursor: number, ticket: string): Socket {
  const origin = location.origin.replace(/^http/, 'ws')
  const query = new URLSearchParams({ cursor: String(cursor), ticket })
  return new WebSocket(`${origin}/api/v1/stream?${query.toString()}`)
}
