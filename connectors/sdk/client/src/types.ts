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
  /** How far it came: sent, delivered, read. */
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
  limits: {
    text: number; upload_bytes: number; upload_types: string[]; attachments: number; metadata_bytes: number
    body_bytes: number; frame_bytes: number; attributes: number; messages_page: number; changes_page: number
    messages_per_minute: number; messages_at_once: number
  }
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

/** One question of a form. */
export interface FormField {
  key: string
  kind: 'text' | 'textarea' | 'email' | 'phone' | 'date' | 'select' | 'multi_select' | 'checkbox'
  label: string
  required: boolean
  placeholder: string | null
  options: string[]
  max_length: number
}

/** The leave-a-message form, in the client's language. */
export interface Form {
  mode: 'offline_message' | 'ticket'
  setting_dimension: 'channel' | 'group'
  reason?: string | null
  fields: FormField[]
  notice: string | null
  version: string
}

/** Key of the question → answer. */
export type Answers = Record<string, string | boolean | string[] | null>

/** A form that was sent. */
export interface Submission {
  id: string
  /** What one can quote: "S-12". */
  reference: string | null
  mode: 'offline_message' | 'ticket'
  state: string
  created_at: string
  thread_id?: string
  last_reply?: Message | null
}

export interface SubmissionSent {
  submission: Submission
  thread_id: string
  message: Message | null
  replayed: boolean
}

/** A place in the line. */
export interface Place {
  position: number
  ahead: number
  wait_estimate_s: number | null
}

/** One wish for a person, from the line to the end of the talk. */
export interface Session {
  id: string
  thread_id: string
  state: 'bot' | 'queued' | 'offered' | 'active' | 'ended'
  group: { id: string; name: string | null } | null
  agent: { id: string; name: string | null } | null
  queue: Place | null
  started_at: string
  ended_at: string | null
  end_reason: string | null
  rev: number
}

/** Nobody can be waited for. */
export interface OfflineForm {
  outcome: 'offline_form'
  form: Form
}
