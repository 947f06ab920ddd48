/** What the visitor left before, and what became of it. */
import { word, type Word } from '../asking'
import type { Chat } from '../chat'
import { dayOf } from '../telling'
import { Text } from '../text'
import type { Mine } from './leaving'

const STATES: Record<string, Word> = { assigned: 'stateTaken', replied: 'stateAnswered', closed: 'stateClosed' }

export function Left({ chat, mine }: { chat: Chat; mine: Mine[] }) {
  if (!mine.length) return <p class="dim"><bdi>{word(chat, 'noneLeft')}</bdi></p>
  return (
    <ul class="left">
      {mine.map(({ id, reference, created_at, state, last_reply }) => (
        <li key={id}>
          <p><strong><bdi>{reference}</bdi></strong> · <time dateTime={created_at}>{dayOf(created_at, chat.locale)}</time></p>
          <p class="dim">{word(chat, STATES[state] ?? (last_reply ? 'stateAnswered' : 'stateNew'))}</p>
          {last_reply ? (
            <blockquote dir="auto">
              <small>{last_reply.author.name ?? chat.word('them')}</small><Text text={last_reply.text || last_reply.fallback || ''} />
            </blockquote>
          ) : null}
        </li>
      ))}
    </ul>
  )
}
