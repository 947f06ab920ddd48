/** What a page loads: takes up the calls made before it was there, and draws the launcher. */
import { settingsOf } from './settings'
import { Widget } from './widget'

type Call = [name: string, value?: unknown, listener?: (detail: unknown) => void]
interface Face {
  (...call: Call): Promise<unknown>
  q?: [Call, (value: unknown) => void, (error: unknown) => void][]
  v?: number
}

const page = window as unknown as { Trunkline?: Face }
const script = (document.currentScript ?? document.querySelector('script[src*="/loader.js"]')) as HTMLScriptElement | null
const settings = script && settingsOf(script)
const early = page.Trunkline

// A page that carries the snippet twice has one widget.
if (settings && !early?.v) {
  const widget = new Widget(settings)
  const face: Face = (...call) => widget.call(...call)
  face.v = 1
  page.Trunkline = face
  if (settings.start) void face('start')
  for (const [call, done, refuse] of early?.q ?? []) face(...call).then(done, refuse)
}
