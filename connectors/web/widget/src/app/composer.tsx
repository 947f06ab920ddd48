/** Where the visitor writes: text, files by button, paste and drop, a draft that survives a reload. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Chat } from './chat'
import { Icon } from './icons'
import { sizeOf } from './telling'

const MOST_FILES = 10

/** Return why a file cannot be sent, "" when it can. */
function problem(chat: Chat, file: File): string {
  const limits = chat.config?.limits
  if (!limits) return ''
  const { name, size, type } = file
  if (size > limits.upload_bytes) return chat.word('tooLarge', { name, max: sizeOf(limits.upload_bytes, chat.locale) })
  const fits = (rule: string): boolean => rule === '*/*' || rule === type || (rule.endsWith('/*') && type.startsWith(rule.slice(0, -1)))
  return type && !limits.upload_types.some(fits) ? chat.word('badType', { name }) : ''
}

/** Whether a key is the Enter that sends, and not one that ends the writing of a Chinese word. */
const isSending = ({ key, shiftKey, isComposing, keyCode }: KeyboardEvent): boolean =>
  key === 'Enter' && !shiftKey && !isComposing && keyCode !== 229

function Tray({ chat, files, remove }: { chat: Chat; files: File[]; remove: (file: File) => void }) {
  return (
    <ul class="tray">
      {files.map((file) => (
        <li key={file.name + String(file.size)}>
          <Icon name="file" /><bdi>{file.name}</bdi>
          <button type="button" aria-label={chat.word('remove', { name: file.name })} onClick={() => remove(file)}><Icon name="close" /></button>
        </li>
      ))}
    </ul>
  )
}

/** Take files that are dropped anywhere on the panel; returns whether some hang over it now. */
function useDrop(allowed: boolean, attach: (files: FileList) => void): boolean {
  const [over, setOver] = useState(false)
  useEffect(() => {
    if (!allowed) return
    const drag = (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      setOver(event.type === 'dragover')
      if (event.type === 'drop') attach(event.dataTransfer.files)
    }
    const names = ['dragover', 'dragleave', 'drop'] as const
    for (const name of names) addEventListener(name, drag)
    return () => {
      for (const name of names) removeEventListener(name, drag)
    }
  })
  return over
}

export function Composer({ chat }: { chat: Chat }) {
  const [text, setText] = useState(() => chat.draft.get<string>() ?? '')
  const [files, setFiles] = useState<File[]>([])
  const [wrong, setWrong] = useState('')
  const box = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const most = chat.config?.limits.text ?? 10_000
  const excess = [...text].length - most
  const mayUpload = chat.config?.features['upload'] !== false

  const write = (value: string): void => {
    setText(value)
    chat.draft.set(value)
    if (value) chat.writes()
  }
  const attach = (list: Iterable<File>): void => {
    const chosen = [...list]
    const said = chosen.map((file) => problem(chat, file))
    const all = [...files, ...chosen.filter((_, at) => !said[at])]
    setFiles(all.slice(0, MOST_FILES))
    setWrong(said.find(Boolean) ?? (all.length > MOST_FILES ? chat.word('tooMany', { n: MOST_FILES }) : ''))
  }
  const send = (): void => {
    const words = text.trim()
    if (excess > 0 || (!words && !files.length)) return
    chat.say(words, files)
    write('')
    setFiles([])
    setWrong('')
    box.current?.focus()
  }

  useEffect(() => {
    if (chat.focus) box.current?.focus()
  }, [chat.focus])
  useLayoutEffect(() => {
    const field = box.current as HTMLTextAreaElement
    field.style.height = 'auto'
    field.style.height = `${String(Math.min(field.scrollHeight, 132))}px`
  }, [text, chat.isOpen])
  const over = useDrop(mayUpload, attach)

  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send() }}>
      {over ? <p class="drop" aria-hidden="true">{chat.word('drop')}</p> : null}
      {wrong || excess > 0 ? <p class="wrong" role="alert" dir="auto">{wrong || chat.word('tooLong', { n: excess })}</p> : null}
      {files.length ? <Tray chat={chat} files={files} remove={(file) => setFiles(files.filter((one) => one !== file))} /> : null}
      <div class="field">
        {mayUpload ? (
          <>
            <button type="button" aria-label={chat.word('attach')} title={chat.word('attach')} onClick={() => picker.current?.click()}><Icon name="clip" /></button>
            <input type="file" multiple hidden ref={picker} accept={chat.config?.limits.upload_types.join()}
              onChange={({ currentTarget }) => { attach(currentTarget.files ?? []); currentTarget.value = '' }} />
          </>
        ) : null}
        <textarea id="write" ref={box} rows={1} dir="auto" value={text} aria-label={chat.word('message')} placeholder={chat.word('message')}
          enterkeyhint={chat.isSheet ? 'enter' : 'send'} onInput={({ currentTarget }) => write(currentTarget.value)}
          onPaste={(event) => {
            const pasted = event.clipboardData?.files
            if (pasted?.length && mayUpload) { event.preventDefault(); attach(pasted) }
          }}
          onKeyDown={(event) => {
            // On a phone Enter is a new line: there is a button to send.
            if (chat.isSheet || !isSending(event)) return
            event.preventDefault()
            send()
          }} />
        <button type="submit" class="go" aria-label={chat.word('send')} disabled={excess > 0 || (!text.trim() && !files.length)}><Icon name="send" /></button>
      </div>
    </form>
  )
}
