/** The app inside the frame. It speaks only with the window that made it, at the origin it was made for. */
import { render } from 'preact'
import { VERSION, type Hello, type ToFrame, type ToLoader } from '../port'
import { Chat } from './chat'
import { Panel } from './panel'
import './style.css'

const page = decodeURIComponent(location.hash.slice(1))
const key = location.pathname.split('/').at(-1) ?? ''

function begin(port: MessagePort, hello: Hello): void {
  let asked = false
  const paint = (): void => {
    asked = false
    render(<Panel chat={chat} />, document.body)
  }
  const tell = (word: ToLoader): void => port.postMessage(word)
  const changed = (): void => {
    if (!asked) queueMicrotask(paint)
    asked = true
  }
  const chat = new Chat(key, hello, tell, changed)
  port.onmessage = ({ data }: MessageEvent<ToFrame>) => {
    if (data.t === 'token') chat.token(data.token)
    else void chat.hear(data)
  }
  const wake = (): void => void (document.hidden || chat.wake())
  addEventListener('online', wake)
  addEventListener('offline', () => {
    chat.live.kick()
    changed()
  })
  addEventListener('pageshow', (event) => event.persisted && wake())
  document.addEventListener('visibilitychange', wake)
  tell({ t: 'ready' })
  void chat.boot()
}

addEventListener('message', function hear({ data, source, origin, ports }: MessageEvent<Partial<Hello> | null>) {
  const port = ports[0]
  if (source !== parent || origin !== page || data?.trunkline !== VERSION || !port) return
  removeEventListener('message', hear)
  begin(port, data as Hello)
})
