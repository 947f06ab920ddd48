/** Cards, places and templates in the composer: what the channel has, and whether what is written fits it. Pure. */
import type { CardLimits, Composer, Content, Media, NewContentOf, TemplateInfo, TemplateVariable, TextUnit } from '@/api/types'
import type { Rich } from '@/state/outgoing'
import { count } from '@/text/count'

export type RichKind = 'card' | 'carousel' | 'location' | 'contacts' | 'link' | 'template'
const KINDS: readonly RichKind[] = ['card', 'carousel', 'location', 'contacts', 'link', 'template']

/** What can be put in besides text: only what the channel carries as what it is. */
export function richKinds(composer: Composer): RichKind[] {
  return KINDS.filter((kind) => ['full', 'partial'].includes(composer.content[kind]?.level ?? ''))
}

export interface EditedButton { title: string; opens: boolean; value: string }
export interface EditedCard { title: string; text: string; image: Media | null; buttons: EditedButton[] }

export function aCard(): EditedCard {
  return { title: '', text: '', image: null, buttons: [] }
}

/** The most of each part; null where the channel states none. */
export interface Shape {
  title: number | null
  /** 0: a card has no text. */
  text: number | null
  buttons: number
  buttonTitle: number | null
  cards: number
  image: boolean
  links: boolean
  unit: TextUnit
}

/** How cards look on a channel that states no limits: as many as a hand can write. */
const FREE = { buttons: 4, cards: 10 }

export function shapeOf(limits: CardLimits | null | undefined, kind: 'card' | 'carousel'): Shape {
  if (!limits) return { title: null, text: null, buttons: FREE.buttons, buttonTitle: null, cards: kind === 'card' ? 1 : FREE.cards, image: true, links: true, unit: 'characters' }
  return {
    title: limits.title_max, text: limits.text_max, buttons: limits.buttons_max, buttonTitle: limits.button_title_max || null,
    cards: kind === 'card' ? 1 : limits.cards_max, image: limits.image, links: limits.links, unit: limits.unit,
  }
}

export function isTooLong(text: string, most: number | null, unit: TextUnit): boolean {
  return most !== null && count(text.trim(), unit) > most
}

/** Whether all cards are complete and fit. */
export function areGood(cards: readonly EditedCard[], shape: Shape): boolean {
  return cards.length > 0 && cards.length <= shape.cards && cards.every((card) => isGood(card, shape))
}

function isGood(card: EditedCard, { title, text, buttons, buttonTitle, unit }: Shape): boolean {
  const fits = card.title.trim() !== '' && !isTooLong(card.title, title, unit) && !isTooLong(card.text, text, unit)
  return fits && card.buttons.length <= buttons && card.buttons.every((button) =>
    button.title.trim() !== '' && !isTooLong(button.title, buttonTitle, unit) && (!button.opens || isAddress(button.value)))
}

export function isAddress(text: string): boolean {
  return /^https?:\/\/\S+\.\S+$/iu.test(text.trim())
}

/** What stands in the form, as it is sent and shown. */
export function cardsAsRich(cards: readonly EditedCard[], kind: 'card' | 'carousel'): Rich {
  const sent = cards.map((card) => ({
    title: card.title.trim(),
    ...(card.text.trim() === '' ? {} : { text: card.text.trim() }),
    ...(card.image?.id ? { image: card.image.id } : {}),
    buttons: card.buttons.map(buttonOf),
  }))
  const shown = cards.map((card) => ({
    type: 'card' as const, title: card.title.trim(), text: card.text.trim() || null, image: card.image, buttons: card.buttons.map(buttonOf),
  }))
  const [one, seen] = [sent[0], shown[0]]
  if (kind === 'card' && one && seen) return { sent: { type: 'card', ...one }, shown: seen }
  return { sent: { type: 'carousel', cards: sent }, shown: { type: 'carousel', cards: shown } }
}

function buttonOf({ title, opens, value }: EditedButton): { title: string; url?: string; data?: string } {
  return { title: title.trim(), ...(opens ? { url: value.trim() } : { data: value.trim() || title.trim() }) }
}

/** The form again, from what was made with it. */
export function cardsOf(content: Content): EditedCard[] {
  const cards = content.type === 'carousel' ? content.cards : content.type === 'card' ? [content] : []
  return cards.map((card) => ({
    title: card.title, text: card.text ?? '', image: card.image ?? null,
    buttons: (card.buttons ?? []).map((button) => ({ title: button.title, opens: Boolean(button.url), value: button.url ?? button.data ?? '' })),
  }))
}

/** Degrees from what was typed or pasted: "35.6586, 139.7454" as maps give it, or null. */
export function placeFrom(text: string): { latitude: number; longitude: number } | null {
  const found = /(-?\d{1,3}(?:\.\d+)?)\s*[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)/u.exec(text)
  if (found === null) return null
  const [latitude, longitude] = [Number(found[1]), Number(found[2])]
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : null
}

// ---------------------------------------------------------------- templates

export type Values = Record<string, string>
export const FILES: readonly string[] = ['image', 'video', 'file']

/** Those in whose name or words everything typed occurs. */
export function matching(templates: readonly TemplateInfo[], typed: string): TemplateInfo[] {
  const words = typed.toLocaleLowerCase().split(/\s+/u).filter((word) => word !== '')
  return templates.filter(({ name, text, language, category }) => {
    const all = `${name} ${text} ${language} ${category}`.toLocaleLowerCase()
    return words.every((word) => all.includes(word))
  })
}

/** What the customer will read: blanks that are not filled yet stay to be seen. */
export function filledText(template: TemplateInfo, values: Values): string {
  return template.text.replace(/\{\{\s*([^{}]+?)\s*\}\}/gu, (whole, name: string) => values[name]?.trim() || whole)
}

/** Why a value cannot go out: nothing there, or longer than the platform takes. */
export function faultOf(variable: TemplateVariable, value: string): 'missing' | 'long' | 'address' | null {
  if (value.trim() === '') return 'missing'
  if (variable.max_length && count(value.trim(), 'characters') > variable.max_length) return 'long'
  return variable.kind === 'url' && /\s/u.test(value.trim()) ? 'address' : null
}

export function templateAsRich(template: TemplateInfo, values: Values, files: Readonly<Record<string, Media>>): Rich {
  const { name, language } = template
  const sent: NonNullable<NewContentOf<'template'>['variables']> = {}
  const shown: Record<string, unknown> = {}
  for (const variable of template.variables) {
    const file = files[variable.name]
    if (file?.id) sent[variable.name] = { media: file.id }
    else sent[variable.name] = (values[variable.name] ?? '').trim()
    shown[variable.name] = file ? (file.name ?? '') : sent[variable.name]
  }
  return { sent: { type: 'template', name, language, variables: sent }, shown: { type: 'template', name, language, variables: shown } }
}
