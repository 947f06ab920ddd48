import type { Composer, QuickReply, QuickReplyLimits, TextUnit } from '@/api/types'
import { count } from '@/text/count'
import { splitText } from '@/text/split'

export interface TextBudget {
  used: number
  max: number
  unit: TextUnit
  /** Messages that the customer will get. */
  parts: number
}

/** How a text stands against the channel's limit; null where the channel states none. */
export function textBudget(text: string, composer: Composer): TextBudget | null {
  const { max, unit } = composer.content['text'] ?? {}
  if (!max || !unit) return null
  const used = count(text.trim(), unit)
  return { used, max, unit, parts: used <= max ? Math.min(used, 1) : splitText(text, max, unit).length }
}

/** Titles that are longer than the channel shows, by their place. Empty ones are not sent, so they are no mistake. */
export function badTitles(replies: readonly QuickReply[], limits: QuickReplyLimits): number[] {
  return replies.flatMap(({ title }, index) =>
    count(title.trim(), limits.title_unit) > limits.title_max ? [index] : [],
  )
}

/** Whether any kind of file goes out on this channel. */
export function carriesFiles(composer: Composer): boolean {
  return ['image', 'video', 'audio', 'file'].some((kind) => {
    const level = composer.content[kind]?.level
    return level !== undefined && level !== 'rejected' && level !== 'dropped'
  })
}
