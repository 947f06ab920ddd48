/** What the parts that are loaded later share: their words, their looks, and asking the server with one silent renewal. */
import type { ApiError } from './api'
import type { Chat } from './chat'
import type { More } from './more'
import { fill } from './words'

export type Word = keyof More

export const word = (chat: Chat, key: Word, values: Record<string, string | number> = {}): string =>
  fill(chat.parts.words?.[key] ?? '', values)

/** Return the answer. Raises ApiError. */
export async function ask<T>(chat: Chat, method: string, path: string, body?: unknown): Promise<T> {
  await chat.boot()
  try {
    return await chat.api.call<T>(method, path, body)
  } catch (error) {
    if ((error as ApiError).status !== 401 || !(await chat.renew())) throw error
    return chat.api.call<T>(method, path, body)
  }
}

/** Put a style sheet on the document; a constructed one comes with its part and needs no request of its own. */
export function dress(css: string): void {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(css)
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
}

/** Return "40 seconds", "3 minutes" or "1 hour", never less than it is. */
export function durationOf(seconds: number, locale: string): string {
  const [step, unit] = seconds < 60 ? [1, 'second'] : seconds < 3600 ? [60, 'minute'] : [3600, 'hour']
  return new Intl.NumberFormat(locale, { style: 'unit', unit: unit as string, unitDisplay: 'long' }).format(Math.ceil(seconds / (step as number)))
}
