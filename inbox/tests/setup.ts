import { cleanup } from '@testing-library/vue'
import { afterEach, vi } from 'vitest'

import { setClock } from '@/clock'

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
