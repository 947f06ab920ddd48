/** Which pages were seen: told once there is a conversation, and not before. */
import { iso } from '../clock'
import type { Seen, ToLoader } from '../port'
import type { Api } from './api'

export class Pages {
  /** How far this clock is behind the server's, in ms. */
  lag = 0

  constructor(
    readonly api: Api,
    readonly tell: (word: ToLoader) => void,
    public seen: Seen,
  ) {}

  /** Tell the server what it has not heard. */
  report(): void {
    const { seen } = this
    if (!seen.views.length) return
    this.seen = { views: [] }
    this.tell({ t: 'visited' })
    for (const view of seen.views) view.at = iso(Date.parse(view.at) + this.lag)
    void this.api.call('POST', 'context', seen).catch(() => undefined)
  }
}
