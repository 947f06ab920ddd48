/** The visitor protocol as this app reads it. What is not named here is ignored. */

export interface Author {
  kind: string
  id?: string | null
  name?: string | null
}

export interface Attachment {
  upload_id?: string
  url?: string | null
  preview_url?: string | null
  name?: string | null
  size?: number | null
  mime?: string | null
  width?: number | null
  height?: number | null
}

export interface Action {
  id: string
  label: string
  type?: string
  url?: string | null
}

export interface Card {
  title?: string | null
  body?: string | null
  image?: Attachment | null
  actions?: Action[]
}

export interface Message extends Card {
  id: string
  client_id?: string | null
  thread_id: string
  pos: number
  rev: number
  author: Author
  kind: string
  text?: string | null
  attachments?: Attachment[]
  state?: string
  created_at: string
  edited_at?: string | null
  fallback?: string | null
  latitude?: number
  longitude?: number
  cards?: Card[]
  options?: Action[]
  answered?: unknown
  quoted?: { text?: string | null } | null
}

export interface Change {
  seq: number
  type: string
  cursor?: string
  data: Record<string, unknown>
}

export interface Page {
  changes: Change[]
  cursor: string
  more: boolean
  reset: boolean
}

export interface Config {
  server_time: string
  inbox: { name?: string }
  features: Record<string, boolean>
  limits: { text: number; upload_bytes: number; upload_types: string[] }
  theme: { accent?: string; mode?: string }
  texts?: Record<string, string>
  locale: string
  direction: string
}

/** One wish to talk to a person, from the line to the end of the talk. */
export interface Session {
  id: string
  thread_id?: string
  state: string
  group?: { name?: string | null } | null
  agent?: { name?: string | null } | null
  queue?: Place | null
  end_reason?: string | null
  rev?: number
}

/** A place in the line. */
export interface Place {
  position: number
  ahead: number
  wait_estimate_s?: number | null
}

export interface Token {
  token: string
  contact?: { id: string } | null
  identity: string
  unread: number
  cursor: string
  merged: boolean
}

export interface Thread {
  id: string
  live?: boolean
  read_pos?: number
  agent_unread?: number
  unread?: number
}

/** What the visitor says; kept until the server has it. */
export interface Saying {
  client_id: string
  kind: string
  text?: string
  attachments?: { upload_id: string }[]
  message_id?: string
  action_id?: string
  value?: string
}
