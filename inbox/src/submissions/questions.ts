/** The questions of a form while they are edited: from the API, to the API, and what is wrong with them. Pure. */
import type { FormQuestion } from '@/api/types'

export type Kind = NonNullable<FormQuestion['kind']>
export type Texts = Readonly<Record<string, string>>

export const KINDS: readonly Kind[] = ['text', 'textarea', 'email', 'phone', 'date', 'select', 'multi_select', 'checkbox']
/** As many as the server takes. */
export const MOST_QUESTIONS = 40
/** Characters of one answer that the server takes at most. */
export const MOST_CHARACTERS = 4000

export interface Question {
  /** Tells them apart while they are moved; known here only. */
  id: number
  /** What the answer is stored under; blank for a question that is not stored yet. */
  key: string
  kind: Kind
  label: Texts
  required: boolean
  placeholder: Texts
  /** One per line. */
  options: string
  most: number | null
}

export type Fault = 'noEnglish' | 'noOptions' | 'noneRequired'

/** What is wrong, by the id of the question; null stands for the form as a whole. */
export type Faults = ReadonlyMap<number | null, Fault>

let last = 0

export function aQuestion(): Question {
  last += 1
  return { id: last, key: '', kind: 'text', label: {}, required: false, placeholder: {}, options: '', most: null }
}

export function questionsFrom(fields: readonly FormQuestion[]): Question[] {
  return fields.map(({ key, kind, label, required, placeholder, options, max_length }) => ({
    ...aQuestion(), key, kind: kind ?? 'text', label, required: required ?? false, placeholder: placeholder ?? {},
    options: (options ?? []).join('\n'), most: max_length === undefined || max_length === MOST_CHARACTERS ? null : max_length,
  }))
}

export function hasOptions({ kind }: Pick<Question, 'kind'>): boolean {
  return kind === 'select' || kind === 'multi_select'
}

export function hasText({ kind }: Pick<Question, 'kind'>): boolean {
  return kind === 'text' || kind === 'textarea' || kind === 'email' || kind === 'phone'
}

/** What the server is told; new questions get a key made of their English words. */
export function fieldsFrom(questions: readonly Question[]): FormQuestion[] {
  const taken = new Set(questions.map(({ key }) => key))
  return questions.map((question) => {
    const key = question.key || keyFor(question.label['en'] ?? '', taken)
    taken.add(key)
    const { kind, required } = question
    return {
      key, kind, required, label: written(question.label), placeholder: hasText(question) ? written(question.placeholder) : {},
      options: hasOptions(question) ? linesOf(question.options) : [], max_length: (hasText(question) ? question.most : null) ?? MOST_CHARACTERS,
    }
  })
}

/** A key as the server takes it that none of the others has. */
export function keyFor(words: string, taken: ReadonlySet<string>): string {
  const plain = words.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/gu, '_').replace(/^[^a-z]+/u, '').slice(0, 36).replace(/_+$/u, '') || 'question'
  for (let n = 1; ; n += 1) {
    const key = n === 1 ? plain : `${plain}_${n}`
    if (!taken.has(key)) return key
  }
}

export function faultsOf(questions: readonly Question[]): Faults {
  const faults = new Map<number | null, Fault>()
  for (const question of questions) {
    if ((question.label['en'] ?? '').trim() === '') faults.set(question.id, 'noEnglish')
    else if (hasOptions(question) && linesOf(question.options).length === 0) faults.set(question.id, 'noOptions')
  }
  if (!questions.some(({ required }) => required)) faults.set(null, 'noneRequired')
  return faults
}

/** The same questions with one of them a place further up (-1) or down (1). */
export function moved(questions: readonly Question[], at: number, by: number): Question[] {
  const others = questions.filter((_one, index) => index !== at)
  return [...others.slice(0, at + by), ...questions.slice(at, at + 1), ...others.slice(at + by)]
}

/** The words in a language, else the English ones, else any. */
export function wordsIn(texts: Texts, locale: string): string {
  return texts[locale] || texts['en'] || Object.values(texts)[0] || ''
}

/** Without blanks; what stands there in other languages than ours stays. */
export function written(texts: Texts): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([locale, text]) => [locale, text.trim()]).filter(([, text]) => text !== ''))
}

function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '')
}
