import { cleanup, configure } from '@testing-library/vue'
import { afterEach, vi } from 'vitest'

import { setClock } from '@/clock'

// How long to wait before a thing that does not come is a failure; a busy machine is not one.
configure({ asyncUtilTimeout: 15_000 })

// jsdom lacks these; nothing under test depends on what they would do.
class Observer {
  observe(): void { /* nothing is laid out in jsdom */ }
  unobserve(): void { /* as above */ }
  disconnect(): void { /* as above */ }
}
vi.stubGlobal('ResizeObserver', Observer)
Element.prototype.scrollIntoView = () => undefined

afterEach(() => {
  vi.useRealTimers()
  cleanup()
  sessionStorage.clear()
  localStorage.clear()
  setClock(() => Date.now())
})
