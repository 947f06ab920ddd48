/** One question of the form, of any kind. */
import type { ComponentChildren } from 'preact'
import { word } from '../asking'
import type { Chat } from '../chat'
import type { Answer, Field, Wrong } from './form'

interface Props {
  chat: Chat
  field: Field
  answer: Answer | undefined
  wrong: Wrong | undefined
  give: (answer: Answer) => void
}

/** Kind → what a browser calls it, and what it may fill in. */
const INPUTS: Record<string, object> = {
  email: { type: 'email', autocomplete: 'email' }, phone: { type: 'tel', autocomplete: 'tel' }, date: { type: 'date' },
}

const INVALID: Record<string, 'badEmail' | 'badPhone'> = { email: 'badEmail', phone: 'badPhone' }

function Mistake({ chat, field, wrong, id }: { chat: Chat; field: Field; wrong: Wrong; id: string }) {
  const said = wrong.code === 'required' ? word(chat, 'missed')
    : wrong.n ? chat.word('tooLong', { n: wrong.n }) : word(chat, INVALID[field.kind] ?? 'badAnswer')
  return <p class="wrong" id={id}><bdi>{said}</bdi></p>
}

const Label = ({ field }: { field: Field }) =>
  <span dir="auto">{field.label}{field.required ? <b aria-hidden="true"> *</b> : null}</span>

function Several({ field, answer, give, marks }: Omit<Props, 'chat' | 'wrong'> & { marks: object }) {
  const chosen = Array.isArray(answer) ? answer : []
  return (
    <>
      {field.options.map((one, at) => (
        <label class="tick" key={one}>
          <input type="checkbox" checked={chosen.includes(one)} {...(at ? {} : marks)}
            onChange={({ currentTarget }) => give(field.options.filter((other) => other === one ? currentTarget.checked : chosen.includes(other)))} />
          <span dir="auto">{one}</span>
        </label>
      ))}
    </>
  )
}

function Written({ chat, field, answer, give, marks }: Omit<Props, 'wrong'> & { marks: object }) {
  const { key, kind, placeholder, options } = field
  const text = typeof answer === 'string' ? answer : ''
  const input = ({ currentTarget }: { currentTarget: { value: string } }): void => give(currentTarget.value)
  if (kind === 'select') {
    return (
      <select {...marks} value={text} onChange={input}>
        <option value="">{word(chat, 'choose')}</option>
        {options.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    )
  }
  const more = { ...marks, value: text, onInput: input, placeholder: placeholder ?? undefined, dir: 'auto' as const }
  if (kind === 'textarea') return <textarea rows={4} {...more} />
  return <input {...(INPUTS[kind] ?? { autocomplete: key === 'name' ? 'name' : undefined })} {...more} />
}

export function Question(props: Props) {
  const { chat, field, answer, wrong, give } = props
  const { key, kind, required } = field
  const id = `q-${key}`
  const marks = {
    id, 'aria-invalid': wrong ? true : undefined, 'aria-describedby': wrong ? `${id}-wrong` : undefined,
    'aria-required': required && kind !== 'multi_select' ? true : undefined,
  }
  const box = (children: ComponentChildren) => (
    <div class="question" data-question={key}>
      {children}
      {wrong ? <Mistake chat={chat} field={field} wrong={wrong} id={`${id}-wrong`} /> : null}
    </div>
  )
  if (kind === 'checkbox') {
    return box(
      <label class="tick">
        <input type="checkbox" {...marks} checked={answer === true} onChange={({ currentTarget }) => give(currentTarget.checked)} />
        <Label field={field} />
      </label>)
  }
  if (kind === 'multi_select') {
    return box(<fieldset><legend><Label field={field} /></legend><Several {...props} marks={marks} /></fieldset>)
  }
  return box(<><label for={id}><Label field={field} /></label><Written {...props} marks={marks} /></>)
}
