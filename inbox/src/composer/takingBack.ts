import { useDrafts } from '@/state/drafts'
import { useOutgoing, type Outgoing } from '@/state/outgoing'

export interface TakingBack {
  /** Takes a held reply (the newest, without a key) back into its draft; answers with the thread, undefined when it is too late. */
  undo: (key?: string) => string | undefined
  /** Takes one that is stranded back into its draft. */
  edit: (key: string) => void
}

/** From the thread back into the composer. */
export function useTakingBack(): TakingBack {
  const outgoing = useOutgoing()
  const drafts = useDrafts()

  function putBack(item: Outgoing | undefined): string | undefined {
    if (item) drafts.putBack(item.threadId, item)
    return item?.threadId
  }

  return {
    undo: (key = outgoing.held.at(-1)?.key ?? '') => putBack(outgoing.undo(key)),
    edit: (key) => { putBack(outgoing.remove(key)) },
  }
}
