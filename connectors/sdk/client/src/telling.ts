/** What one may listen to. */
import type { Waiting } from './outbox.ts'
import type { State } from './state.ts'
import type { Author, Features, Message, Place, Session, Thread } from './types.ts'

export interface Events {
  message: Message
  updated: Message
  thread: Thread
  unread: number
  typing: { thread: string; author: Author }
  /** A wish for a person began, moved on or ended; and a place in the line, told in passing. */
  session: Session
  queue: Place
  outbox: Waiting[]
  connection: 'socket' | 'poll' | null
  features: Features
  /** Everything was loaded anew: draw everything anew. */
  reset: State
  /** It is over until the host acts: the code of the answer or of the closed socket. */
  ended: number | string
  /** The host's own store or files failed. */
  broken: unknown
}

export class Telling {
  #ears = new Map<string, Set<(what: never) => void>>()

  /** Listen; call what comes back to listen no more. */
  on<Name extends keyof Events>(name: Name, ear: (what: Events[Name]) => void): () => void {
    const ears = this.#ears.get(name) ?? new Set()
    this.#ears.set(name, ears.add(ear as (what: never) => void))
    return () => ears.delete(ear as (what: never) => void)
  }

  tell<Name extends keyof Events>(name: Name, what: Events[Name]): void {
    for (const ear of this.#ears.get(name) ?? []) (ear as (what: Events[Name]) => void)(what)
  }
}
