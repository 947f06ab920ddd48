import type { Content, Media, Message, Note } from '@/api/types'

import type { Conversation } from './state'

/** Adds messages or replaces those that are there (same id), keeping the order by position. */
export function putMessages(conversation: Conversation, incoming: readonly Message[]): Conversation {
  const byId = new Map(conversation.messages.map((message) => [message.id, message]))
  for (const message of incoming) byId.set(message.id, message)
  const messages = [...byId.values()].sort((a, b) => a.position - b.position)
  return { ...conversation, messages }
}

/** Changes one message if it is loaded. */
export function changeMessage(conversation: Conversation, id: string, change: (message: Message) => Message): Conversation {
  if (!conversation.messages.some((message) => message.id === id)) return conversation
  const messages = conversation.messages.map((message) => (message.id === id ? change(message) : message))
  return { ...conversation, messages }
}

export function putNote(conversation: Conversation, note: Note): Conversation {
  const notes = conversation.notes.filter((other) => other.id !== note.id)
  return { ...conversation, notes: [...notes, note].sort((a, b) => (a.at < b.at ? -1 : 1)) }
}

export function dropNote(conversation: Conversation, id: string): Conversation {
  return { ...conversation, notes: conversation.notes.filter((note) => note.id !== id) }
}

/** Keeps the newest `keep` messages; the page above can be loaded again. */
export function trim(conversation: Conversation, keep: number): Conversation {
  if (conversation.messages.length <= keep) return conversation
  const messages = conversation.messages.slice(-keep)
  return { ...conversation, messages, earlier: String(messages[0]?.position ?? '') || null }
}

/** The content with a file's new state wherever that file occurs in it. */
export function withMedia(content: Content, media: Media): Content {
  const swap = <T extends Media | null | undefined>(old: T): T => (old && old.id === media.id ? (media as T) : old)
  switch (content.type) {
    case 'image':
    case 'video':
    case 'audio':
    case 'file':
      return { ...content, media: swap(content.media) }
    case 'sticker':
      return { ...content, media: swap(content.media) }
    case 'card':
    case 'link':
      return { ...content, image: swap(content.image) }
    case 'carousel':
      return { ...content, cards: content.cards.map((card) => ({ ...card, image: swap(card.image) })) }
    default:
      return content
  }
}
