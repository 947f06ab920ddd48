import type { Place, Socket } from './feed'

/** Opens the live feed of the server that this page came from. */
export function openSocket(place: Place, ticket: string): Socket {
  const origin = location.origin.replace(/^http/, 'ws')
  const query = new URLSearchParams({ cursor: String(place.cursor), ticket, ...(place.at === null ? {} : { at: place.at }) })
  return new WebSocket(`${origin}/api/v1/stream?${query.toString()}`)
}
