/**
 * What loader and frame say to each other.
 *
 * The loader sends one `Hello` with a port to the exact address of the frame; the frame takes it from its parent window
 * and from the origin it was made for, and from then on both speak through the port only. Unknown words are ignored.
 */

/** Raised when an old loader must not speak with a new frame. */
export const VERSION = 1

export interface View {
  url?: string
  screen?: string
  title?: string
  at: string
}

/** What is not told yet: pages, and where the visitor came from to the first of them. */
export interface Seen {
  views: View[]
  referrer?: string
  utm?: Record<string, string>
}

/** How the page wants it to look; absent is what the settings say. */
export interface Look {
  accent?: string
  mode?: string
}

export interface Hello {
  trunkline: typeof VERSION
  token: string | null
  locale: string
  /** The direction of the page. */
  dir: string
  form: 'desktop' | 'mobile'
  look: Look
  open: boolean
  /** What the frame gave the page to keep. */
  kept: Record<string, string>
  seen: Seen
}

export type ToFrame =
  | { t: 'show'; open: boolean; sheet: boolean; focus: boolean }
  | { t: 'token'; token: string | null }
  | { t: 'view'; view: View }
  | { t: 'locale'; locale: string; dir: string }
  | { t: 'look'; look: Look }
  | { t: 'call'; id: number; name: string; value: unknown }
  | { t: 'stop' }

export type ToLoader =
  | { t: 'ready' }
  /** Keep this token; null forgets it. */
  | { t: 'token'; token: string | null }
  /** A token follows the one in use: keep it, unless another is kept by now. Answered with `token`. */
  | { t: 'next'; was: string | null; token: string }
  /** This token is dead: give another, if another tab left one. */
  | { t: 'renew'; dead: string }
  | { t: 'close' }
  /** The pages that were seen are told. */
  | { t: 'visited' }
  /** Keep this over a reload: the frame has no storage of its own. */
  | { t: 'keep'; name: string; text: string }
  | { t: 'unread'; count: number }
  | { t: 'look'; accent: string; mode: string }
  | { t: 'event'; name: string; detail: unknown }
  | { t: 'result'; id: number; value?: unknown; error?: string }
