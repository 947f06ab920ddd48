/** The visitor protocol as an app reads it. Fields that are not named here are ignored, as the protocol says. */

export type Platform = 'ios' | 'android' | 'macos' | 'windows' | 'flutter' | 'reactnative'

export interface Author {
  kind: 'contact' | 'agent' | 'bot' | 'system'
  id: string | null
  name: string | null
}

export interface Attachment {
  upload_id: string | null
  /** A path on the server, signed: it opens the file for whoever has it. */
  url: string | null
  preview_url: string | null
  name: string | null
  size: number | null
  mime: string | null
  width: number | null
  height: number | null
  duration_ms: number | null
}

export interface Action {
  id: string
  label: string
  type: string
  url?: string | null
}

export interface Message {
  id: string
  client_id: string | null
  thread_id: string
  /** Place in the thread: rising whole numbers. */
  pos: number
  /** A message with a lower one than the one we have is old news. */
  rev: number
  author: Author
  /** Show `fallback` for a kind that you do not know. */
  kind: string
  text?: string | null
  attachments?: Attachment[]
  options?: Action[]
  actions?: Action[]
  latitude?: number
  longitude?: number
  title?: string | null
  quoted?: { id: string | null; text: string | null } | null
  state?: string
  created_at: string
  edited_at?: string | null
  fallback: string
}

export interface Thread {
  id: string
  /** New messages go to the one that is. */
  live: boolean
  state: 'open' | 'closed'
  last_pos: number
  read_pos: number
  unread: number
  agent_unread: number
  agent: Author | null
  last_message_at: string
}

export interface Change {
  seq: number
  type: string
  at: string
  data: Record<string, unknown>
  /** Over the socket only. */
  cursor?: string
}

export interface Page {
  changes: Change[]
  cursor: string
  more: boolean
  reset: boolean
}

/** What this client may use. A name that is missing is off. */
export type Features = Record<string, boolean>

export interface TokenAnswer {
  token: string
  expires_at: string
  identity: 'anonymous' | 'verified'
  contact: { id: string; name: string | null; locale: string | null }
  merged: boolean
  thread: Thread | null
  unread: number
  cursor: string
  features: Features
  feature_reasons: Record<string, string>
}

export interface Config {
  inbox: { id: string; name: string; channel_type: string }
  protocol: { min: number; max: number }
  features: Features
  feature_reasons: Record<string, string>
  identity: { mode: string }
  limits: { text: number; upload_bytes: number; upload_types: string[]; attachments: number; metadata_bytes: number }
  locale: string
  direction?: string
  theme?: Record<string, string>
  texts?: Record<string, string>
  [name: string]: unknown
}

export interface Contact {
  id: string
  name: string | null
  email: string | null
  phone: string | null
  locale: string | null
  timezone: string | null
  attributes: Record<string, unknown>
  identity: 'anonymous' | 'verified'
  verified_fields: string[]
}

/** What somebody says of themselves; null takes a value back. */
export interface ContactPatch {
  name?: string | null
  email?: string | null
  phone?: string | null
  locale?: string | null
  timezone?: string | null
  attributes?: Record<string, string | number | boolean | null>
}

export interface PushDevice {
  provider: 'apns' | 'fcm' | 'hms' | 'webpush'
  push_token: string
  /** For APNs. A token of the one is worth nothing in the other. */
  environment?: 'production' | 'sandbox'
  bundle_id?: string
  locale?: string
  enabled?: boolean
}

/** What somebody wants to say. */
export interface Draft {
  kind?: string
  text?: string
  quoted_id?: string
  latitude?: number
  longitude?: number
  title?: string
  metadata?: Record<string, unknown>
}
