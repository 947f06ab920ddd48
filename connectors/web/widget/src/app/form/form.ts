/** A form: what was answered, and what is wrong with it. Pure; the server judges in the end. */

export interface Field {
  key: string
  kind: string
  label: string
  required: boolean
  placeholder?: string | null
  options: string[]
  max_length: number
}

export interface Form {
  mode: string
  fields: Field[]
  notice?: string | null
  version: string
}

export type Answer = string | boolean | string[]
export type Answers = Record<string, Answer>

/** What is wrong with one answer: a code of the server's; `n` characters too many. */
export interface Wrong {
  code: string
  n?: number
}
export type Mistakes = Record<string, Wrong>

/** As the server reads them: what passes here passes there. */
const SHAPES: Record<string, RegExp> = { email: /^[^\s@]+@[^\s@]+$/, phone: /^[0-9+ ()/.-]{3,32}$/ }

/** Return the answers to these questions, without blank ones and blanks around them. */
export function filled(fields: Field[], answers: Answers): Answers {
  const found: Answers = {}
  for (const { key } of fields) {
    const answer = answers[key]
    const trimmed = typeof answer === 'string' ? answer.trim() : answer
    if (trimmed && (!Array.isArray(trimmed) || trimmed.length)) found[key] = trimmed
  }
  return found
}

/** Return what is wrong, by the key of the question. */
export function mistakesIn(fields: Field[], answers: Answers): Mistakes {
  const given = filled(fields, answers)
  const found = fields.map((field): [string, Wrong | null] => [field.key, mistake(field, given[field.key])])
  return Object.fromEntries(found.filter((one): one is [string, Wrong] => one[1] !== null))
}

function mistake({ kind, required, max_length }: Field, answer: Answer | undefined): Wrong | null {
  if (answer === undefined) return required ? { code: 'required' } : null
  if (typeof answer !== 'string') return null
  // Characters are counted as the server counts them: an emoji is one.
  const n = [...answer].length - max_length
  if (n > 0) return { code: 'too_long', n }
  return SHAPES[kind]?.test(answer) === false ? { code: 'invalid' } : null
}

/** Return what the server says is wrong with questions that are on the screen. */
export function refused(errors: unknown, fields: Field[]): Mistakes {
  const known = new Set(fields.map(({ key }) => key))
  const told = (Array.isArray(errors) ? errors : []) as { field: string; code: string }[]
  return Object.fromEntries(told.filter(({ field }) => known.has(field)).map(({ field, code }) => [field, { code }]))
}

/** Return the answers that fit a form that has changed: same key, and still possible. */
export function carried(fields: Field[], answers: Answers): Answers {
  const kept: Answers = {}
  for (const field of fields) {
    const fits = fit(field, answers[field.key])
    if (fits !== undefined) kept[field.key] = fits
  }
  return kept
}

function fit({ kind, options }: Field, answer: Answer | undefined): Answer | undefined {
  if (kind === 'checkbox') return typeof answer === 'boolean' ? answer : undefined
  if (kind === 'multi_select') return Array.isArray(answer) ? answer.filter((one) => options.includes(one)) : undefined
  if (typeof answer !== 'string') return undefined
  return kind === 'select' && !options.includes(answer) ? undefined : answer
}
