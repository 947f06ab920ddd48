/** A link and a contact card in the composer: a few lines each, and what becomes of them. Pure. */
import type { Content } from '@/api/types'
import type { Rich } from '@/state/outgoing'

import { isAddress } from './rich'

export type FieldsKind = 'link' | 'contacts'
export type Values = Record<string, string>
export interface Field { name: string; required?: boolean; type?: string; rows?: number }

/** The lines of each form; their labels are `rich.field.<name>`. */
export const FIELDS: Readonly<Record<FieldsKind, readonly Field[]>> = {
  link: [{ name: 'url', required: true, type: 'url' }, { name: 'title' }, { name: 'text', rows: 2 }],
  contacts: [{ name: 'name', required: true }, { name: 'phone', type: 'tel' }, { name: 'email', type: 'email' }, { name: 'organization' }],
}

/** What was written, as it is sent and shown; null while something is missing. */
export function fieldsAsRich(kind: FieldsKind, values: Values): Rich | null {
  const said = (name: string): string => (values[name] ?? '').trim()
  if (kind === 'link') {
    if (!isAddress(said('url'))) return null
    const link = { type: 'link' as const, url: said('url'), title: said('title') || null, text: said('text') || null }
    return { sent: link, shown: link }
  }
  const some = (name: string): string[] => (said(name) === '' ? [] : [said(name)])
  const person = { name: said('name'), phones: some('phone'), emails: some('email'), organization: said('organization') || null }
  if (person.name === '' || (person.phones.length === 0 && person.emails.length === 0)) return null
  const card = { type: 'contacts' as const, people: [person] }
  return { sent: card, shown: card }
}

/** The form again, from what was made with it. */
export function valuesOf(content: Content | null): Values {
  if (content?.type === 'link') return written({ url: content.url, title: content.title, text: content.text })
  const person = content?.type === 'contacts' ? content.people[0] : undefined
  return person ? written({ name: person.name, phone: person.phones?.[0], email: person.emails?.[0], organization: person.organization }) : {}
}

function written(values: Record<string, string | null | undefined>): Values {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? '']))
}
