import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Keeping } from '../src/loader/keeping'
import { settingsOf } from '../src/loader/settings'
import { Visits, cleaned } from '../src/loader/visits'
import { wordsFor } from '../src/loader/words'

const refuse = (): never => {
  throw new DOMException('no', 'SecurityError')
}

beforeEach(() => {
  document.cookie = 'occ_wk_test=;max-age=0;path=/'
  localStorage.clear()
  sessionStorage.clear()
})

afterEach(() => vi.restoreAllMocks())

test('the token is a first-party cookie of this site', () => {
  const written = vi.spyOn(document, 'cookie', 'set')
  new Keeping('wk_test', '').write('vt_1')
  expect(written).toHaveBeenCalledWith('occ_wk_test=vt_1;path=/;max-age=15552000;SameSite=Lax;Secure')
  expect(new Keeping('wk_test', '').read()).toBe('vt_1')
  expect(localStorage).toHaveLength(0)
  new Keeping('wk_test', '').write(null)
  expect(new Keeping('wk_test', '').read()).toBeNull()
})

test('a parent domain shares it with sub-domains', () => {
  const written = vi.spyOn(document, 'cookie', 'set')
  new Keeping('wk_test', 'shop.example').write('vt_1')
  expect(written).toHaveBeenCalledWith(expect.stringContaining(';domain=shop.example'))
})

test('without cookies it is kept in local storage, and without that in memory', () => {
  vi.spyOn(document, 'cookie', 'set').mockImplementation(() => undefined)
  new Keeping('wk_test', '').write('vt_1')
  expect(new Keeping('wk_test', '').read()).toBe('vt_1')
  for (const call of ['getItem', 'setItem', 'removeItem'] as const) vi.spyOn(Storage.prototype, call).mockImplementation(refuse)
  const keeping = new Keeping('wk_test', '')
  keeping.write('vt_2')
  expect(keeping.read()).toBe('vt_2')
  expect(new Keeping('wk_test', '').read()).toBeNull()
  expect(keeping.open(true)).toBe(false)
  expect(keeping.kept('draft', '"x"')).toEqual({})
})

test.each([
  ['https://shop.example/a?b=1#part', 'https://shop.example/a?b=1'],
  ['https://shop.example/?token=x&page=2&reset_code=y&E-Mail=a@b', 'https://shop.example/?page=2'],
  ['https://ana:secret@shop.example/', 'https://shop.example/'],
])('%s is told without what may be a secret', (address, told) => expect(cleaned(address)).toBe(told))

test('pages of a single-page app are noted, each once, and after stop no more', async () => {
  vi.useFakeTimers()
  const before = history.pushState
  const told: (string | undefined)[] = []
  const visits = new Visits('wk_test', (view) => told.push(view.url))
  visits.watch()
  for (const path of ['/one', '/one#part', '/two']) {
    history.pushState(null, '', path)
    await vi.advanceTimersByTimeAsync(0)
  }
  expect(told.map((url) => new URL(url ?? '').pathname)).toEqual(['/widget/frame/wk_test', '/one', '/two'])
  visits.stop()
  history.pushState(null, '', '/three')
  await vi.advanceTimersByTimeAsync(0)
  expect(told).toHaveLength(3)
  expect(history.pushState).toBe(before)
  vi.useRealTimers()
})

/** What a page of the shop has for the frame, having loaded anew. */
function load(path: string): Visits {
  const visits = new Visits('wk_test', () => undefined)
  history.replaceState(null, '', path)
  visits.watch()
  visits.stop()
  return visits
}

const paths = (visits: Visits): string[] => visits.seen.views.map(({ url }) => new URL(url ?? '').pathname)

test('pages from before a load wait for the conversation, with where the first was come to from', () => {
  vi.spyOn(document, 'referrer', 'get').mockReturnValue('https://search.example/?q=bicycle&email=a@b')
  load('/landing?utm_source=letter')
  load('/bicycles')
  vi.spyOn(document, 'referrer', 'get').mockReturnValue(location.href)
  load('/bicycles')
  const visits = load('/bicycles/red')
  expect(paths(visits)).toEqual(['/landing', '/bicycles', '/bicycles/red'])
  expect(visits.seen).toMatchObject({ referrer: 'https://search.example/?q=bicycle', utm: { source: 'letter' } })
  visits.forget()
  expect(paths(load('/repairs'))).toEqual(['/repairs'])
})

test('no more than twenty pages wait, and what is no list of pages is none', () => {
  for (let page = 0; page < 25; page++) load(`/${String(page)}`)
  expect(paths(load('/end'))).toEqual([...Array(19).keys()].map((page) => `/${String(page + 6)}`).concat('/end'))
  for (const odd of ['{', '7', 'null', '"x"', '{"views":7}', '']) {
    sessionStorage.setItem('occ_wk_test_seen', odd)
    expect(paths(load('/anew'))).toEqual(['/anew'])
  }
  vi.spyOn(Storage.prototype, 'getItem').mockImplementation(refuse)
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(refuse)
  expect(paths(load('/without'))).toEqual(['/without'])
})

test('who asks not to be tracked is not', () => {
  Object.defineProperty(navigator, 'doNotTrack', { value: '1', configurable: true })
  const tell = vi.fn()
  new Visits('wk_test', tell).watch()
  expect(tell).not.toHaveBeenCalled()
  expect(sessionStorage).toHaveLength(0)
  Reflect.deleteProperty(navigator, 'doNotTrack')
})

const script = (data: Record<string, string>): HTMLScriptElement => {
  const one = document.createElement('script')
  one.src = 'https://desk.example/widget/loader.js?key=wk_test'
  Object.assign(one.dataset, data)
  return one
}

test('what a page says of the widget must fit, or the usual counts', () => {
  const hostile = '"><img src=x onerror=alert(1)>'
  const settings = settingsOf(script({ key: 'wk_test', accent: hostile, mode: hostile, position: hostile, layer: hostile, domain: hostile }))
  expect(settings).toMatchObject({
    key: 'wk_test', base: 'https://desk.example/widget/', accent: '#1f6feb', mode: 'auto', position: 'end', layer: '2147483000', domain: '',
  })
  expect(settingsOf(script({ key: hostile }))).toBeNull()
  expect(settingsOf(script({ key: 'wk_test', accent: '#0f766e', start: 'false' }))).toMatchObject({ accent: '#0f766e', start: false })
})

test('the launcher speaks the language of the page', () => {
  const said = ['pl-PL', 'zh-TW', 'zh', 'en-GB', 'ar', ''].map((locale) => wordsFor(locale)[3])
  expect(said).toEqual(['Czat', '聊天', '聊天', 'Chat', 'Chat', 'Chat'])
})
