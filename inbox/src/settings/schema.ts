/** A form from a connector's JSON schema, as pydantic writes it: which fields, of which kind, and what they may hold. */

export interface Schema {
  type?: string
  title?: string
  description?: string
  format?: string
  writeOnly?: boolean
  default?: unknown
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly Schema[]
  allOf?: readonly Schema[]
  items?: Schema
  properties?: Readonly<Record<string, Schema>>
  required?: readonly string[]
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  $ref?: string
  $defs?: Readonly<Record<string, Schema>>
}

export type Values = Record<string, unknown>
export type Kind = 'text' | 'secret' | 'secrets' | 'number' | 'switch' | 'choice' | 'lines' | 'group' | 'groups' | 'json'

export interface Field {
  key: string
  kind: Kind
  title: string
  hint: string
  required: boolean
  initial: unknown
  options: readonly string[]
  /** Of a group, or of each of several. */
  fields: readonly Field[]
  min: number | undefined
  max: number | undefined
}

/** The fields of a form in the order of the schema. What we have no control for is edited as JSON, so that nothing is out of reach. */
export function fieldsOf(schema: Schema, root: Schema = schema): Field[] {
  const whole = resolved(schema, root)
  return Object.entries(whole.properties ?? {}).map(([key, part]) => fieldOf(key, part, whole.required?.includes(key) ?? false, root))
}

function fieldOf(key: string, part: Schema, required: boolean, root: Schema): Field {
  // What stands beside a reference says more of this field than what stands behind it.
  const value = { ...resolved(part, root), ...without(part, ['$ref', 'anyOf', 'allOf']) }
  const kind = kindOf(value, root)
  return {
    key,
    kind,
    title: spelt(value.title ?? key),
    hint: value.description ?? '',
    required,
    initial: value.default ?? BLANK[kind],
    options: (value.enum ?? []).map(String),
    fields: partsOf(kind, value, root),
    min: value.minimum,
    max: value.maximum,
  }
}

const SHORT: Readonly<Record<string, string>> = { Api: 'API', Aes: 'AES', Id: 'ID', Jwt: 'JWT', Url: 'URL' }

/** A title that was made of a name ("Api Base"), as people write it. */
function spelt(title: string): string {
  return title.replace(/\b(?:Api|Aes|Id|Jwt|Url)\b/gu, (word) => SHORT[word] ?? word)
}

function partsOf(kind: Kind, value: Schema, root: Schema): Field[] {
  if (kind === 'group') return fieldsOf(value, root)
  return kind === 'groups' ? fieldsOf(value.items ?? {}, root) : []
}

const BLANK: Record<Kind, unknown> = {
  text: '', secret: '', secrets: [], number: null, switch: false, choice: '', lines: [], group: {}, groups: [], json: null,
}

/** Follows references, and takes the one thing that is meant where null is allowed beside it. */
function resolved(schema: Schema, root: Schema): Schema {
  if (schema.$ref !== undefined) return resolved(root.$defs?.[schema.$ref.split('/').at(-1) ?? ''] ?? {}, root)
  const meant = [...(schema.anyOf ?? schema.allOf ?? [])].filter(({ type }) => type !== 'null')
  return meant.length === 1 && meant[0] !== undefined ? { ...resolved(meant[0], root), ...without(schema, ['anyOf', 'allOf']) } : schema
}

function without(schema: Schema, keys: readonly string[]): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !keys.includes(key)))
}

const SIMPLE: Record<string, Kind> = { string: 'text', integer: 'number', number: 'number', boolean: 'switch' }

function kindOf(schema: Schema, root: Schema): Kind {
  if (schema.writeOnly || schema.format === 'password') return 'secret'
  if (schema.enum !== undefined) return 'choice'
  if (schema.type === 'object' && schema.properties) return 'group'
  if (schema.type === 'array' && schema.items) return kindOfItems(resolved(schema.items, root))
  return SIMPLE[schema.type ?? ''] ?? 'json'
}

function kindOfItems(items: Schema): Kind {
  if (items.type === 'object' && items.properties) return 'groups'
  if (items.type !== 'string') return 'json'
  return items.writeOnly ? 'secrets' : 'lines'
}

/** Whether a value stands for a secret that is stored; sent back as it is, it stays. */
export function isKept(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value as { set?: unknown }).set === true
}

/** In the place of a secret that shall be taken away. */
export const REMOVED = null

/** Values for a form: what is stored, else what the schema begins with. Of secrets only that they are there. */
export function valuesFor(fields: readonly Field[], stored: Values = {}): Values {
  return Object.fromEntries(fields.map((field) => [field.key, valueFor(field, stored[field.key])]))
}

const SHOWN: Partial<Record<Kind, (field: Field, value: unknown) => unknown>> = {
  secret: (_field, value) => (isKept(value) ? value : ''),
  group: (field, value) => valuesFor(field.fields, asValues(value)),
  groups: (field, value) => asList(value).map((one) => valuesFor(field.fields, asValues(one))),
  json: (_field, value) => (value === null ? '' : JSON.stringify(value, null, 2)),
}

function valueFor(field: Field, stored: unknown): unknown {
  const value = stored ?? field.initial
  return SHOWN[field.kind]?.(field, value) ?? value
}

/** What the server is told: without blanks that may be missing, and without secrets that were left blank: they stay. */
export function settingsFrom(fields: readonly Field[], values: Values): Values {
  const told = fields.flatMap((field): [string, unknown][] => {
    const value = toldOf(field, values[field.key])
    return value === undefined ? [] : [[field.key, value]]
  })
  return Object.fromEntries(told)
}

const TOLD: Partial<Record<Kind, (field: Field, value: unknown) => unknown>> = {
  group: (field, value) => settingsFrom(field.fields, asValues(value)),
  groups: (field, value) => asList(value).map((one) => settingsFrom(field.fields, asValues(one))),
  lines: (_field, value) => asList(value).map((one) => String(one).trim()).filter((one) => one !== ''),
  // An empty list would take them all away: nothing told leaves them as they are.
  secrets: (_field, value) => {
    const meant = asList(value).filter((one) => one !== '')
    return meant.length === 0 ? undefined : meant
  },
  json: (_field, value) => (String(value).trim() === '' ? undefined : JSON.parse(String(value))),
}

function toldOf(field: Field, value: unknown): unknown {
  const made = TOLD[field.kind]
  if (made) return made(field, value)
  if (field.kind === 'secret' && value === REMOVED && !field.required) return null
  const isBlank = value === '' || value === null
  return isBlank && (field.kind === 'secret' || !field.required) ? undefined : value
}

/** Fields whose JSON cannot be read, by key. */
export function unreadable(fields: readonly Field[], values: Values): string[] {
  return fields.filter(({ kind, key }) => kind === 'json' && !isJson(String(values[key] ?? ''))).map(({ key }) => key)
}

function isJson(text: string): boolean {
  if (text.trim() === '') return true
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function asValues(value: unknown): Values {
  return typeof value === 'object' && value !== null ? (value as Values) : {}
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
