import { render, type RenderResult } from '@testing-library/vue'
import axe from 'axe-core'
import { createPinia, setActivePinia, type Pinia } from 'pinia'
import { TooltipProvider } from 'reka-ui'
import { expect, vi, type Mock } from 'vitest'
import { defineComponent, h, type Component } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { i18n } from '@/i18n'
import { routes } from '@/router'
import { useInbox } from '@/state/inbox'
import { usePreferences } from '@/state/preferences'
import { useSession } from '@/state/session'

import { aComposer, aMessage, aThread } from './samples'

export interface Asked { method: string; path: string; key: string | null; body: unknown }
type Answer = Response | Promise<Response>
type Answers = Record<string, (asked: Asked) => Answer>

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })
}

export function problem(status: number, code: string, detail: string): Response {
  const body = JSON.stringify({ type: 'about:blank', title: code, status, code, detail, request_id: 'r' })
  return new Response(body, { status, headers: { 'Content-Type': 'application/problem+json' } })
}

/** A server that answers as told ("POST /threads/t1/messages") and remembers what it was asked. */
export function aServer(answers: Answers): { asked: Asked[]; fetch: Mock } {
  const asked: Asked[] = []
  const fetch = vi.fn(async (request: Request) => {
    const path = new URL(request.url).pathname.replace('/api/v1', '')
    const text = await request.text()
    const one: Asked = { method: request.method, path, key: request.headers.get('Idempotency-Key'), body: text === '' ? null : JSON.parse(text) }
    asked.push(one)
    return await (answers[`${one.method} ${path}`]?.(one) ?? problem(404, 'not_found', `No answer for ${one.method} ${path}.`))
  })
  vi.stubGlobal('fetch', fetch)
  return { asked, fetch }
}

export interface Page extends RenderResult { router: Router; pinia: Pinia }

/** A component as it stands in the app: signed in as Ada, with one thread of one message. */
export async function aPage(component: Component, props: Record<string, unknown> = {}, at = '/threads'): Promise<Page> {
  const pinia = createPinia()
  setActivePinia(pinia)
  useSession().agent = { id: 'ada', name: 'Ada', email: 'ada@shop.example', role: 'agent', enabled: true }
  // Replies leave at once where a test is not about the time in which they can be taken back.
  usePreferences().undo = false
  const inbox = useInbox()
  inbox.start('ada', () => Promise.resolve(0))
  inbox.change((old) => ({
    ...old,
    threads: new Map([['t1', aThread()]]),
    details: new Map([['t1', { composer: aComposer(), identities: [] }]]),
    conversations: new Map([['t1', { messages: [aMessage()], notes: [], earlier: null }]]),
  }))
  const router = createRouter({ history: createMemoryHistory(), routes })
  await router.push(at)
  const whole = defineComponent({ setup: () => () => h(TooltipProvider, () => h(component, props)) })
  return { ...render(whole, { global: { plugins: [pinia, i18n, router] } }), router, pinia }
}

/** Fails with axe's own words. Colours are not computed in jsdom: the browser tests look at them. */
export async function expectAccessible(element: Element): Promise<void> {
  const { violations } = await axe.run(element, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } })
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
}
