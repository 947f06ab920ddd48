import { createRouter, createWebHistory, type RouteLocationNormalized, type RouteLocationRaw, type Router, type RouteRecordRaw, type RouterHistory } from 'vue-router'

import { useSession } from '@/state/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the page's name, for the title and for readers. */
    title: string
    /** May be seen without signing in. */
    open?: boolean
    admin?: boolean
  }
}

export const routes: RouteRecordRaw[] = [
  { path: '/', redirect: '/threads' },
  { path: '/sign-in', name: 'sign-in', component: () => import('@/pages/SignInPage.vue'), meta: { title: 'signIn.title', open: true } },
  { path: '/setup', name: 'setup', component: () => import('@/pages/SetupPage.vue'), meta: { title: 'setup.title', open: true } },
  {
    path: '/',
    component: () => import('@/frame/AppFrame.vue'),
    meta: { title: 'nav.inbox' },
    children: [
      { path: 'threads/:id?', name: 'threads', component: () => import('@/pages/ThreadsPage.vue'), meta: { title: 'nav.inbox' } },
      { path: 'search', name: 'search', component: () => import('@/pages/SearchPage.vue'), meta: { title: 'search.title' } },
      {
        path: 'settings',
        name: 'settings',
        component: () => import('@/pages/SettingsPage.vue'),
        redirect: { name: 'settings-me' },
        meta: { title: 'settings.title' },
        children: [
          { path: 'me', name: 'settings-me', component: () => import('@/settings/MySettings.vue'), meta: { title: 'settings.me' } },
          { path: 'canned', name: 'settings-canned', component: () => import('@/settings/CannedSettings.vue'), meta: { title: 'canned.title' } },
          { path: 'submissions/:scope(deployment|account|group)?/:place?', name: 'settings-submissions', component: () => import('@/submissions/SubmissionSettings.vue'), meta: { title: 'submissions.title' } },
          { path: 'accounts/:id/health', name: 'settings-account-health', component: () => import('@/settings/AccountHealth.vue'), meta: { title: 'record.title', admin: true } },
          { path: 'accounts/:id?', name: 'settings-accounts', component: () => import('@/settings/AccountSettings.vue'), meta: { title: 'accounts.title', admin: true } },
          { path: 'agents', name: 'settings-agents', component: () => import('@/settings/AgentSettings.vue'), meta: { title: 'agents.title', admin: true } },
        ],
      },
      { path: 'quarantine', name: 'quarantine', component: () => import('@/pages/QuarantinePage.vue'), meta: { title: 'nav.quarantine', admin: true } },
    ],
  },
  { path: '/:rest(.*)*', name: 'lost', component: () => import('@/pages/NotFoundPage.vue'), meta: { title: 'lost.title', open: true } },
]

export function createAppRouter(history: RouterHistory = createWebHistory('/inbox/'), isFramed = window.self !== window.top): Router {
  const router = createRouter({ history, routes })
  if (isFramed) router.beforeEach(takeHandedToken)
  router.beforeEach(admit)
  return router
}

/**
 * The demo's own page shows the inbox in a frame and hands it the token of an invented agent: /sign-in#token=…
 * Only in a frame: nobody but the demo may frame us, so no link can sign an agent in as somebody else.
 */
async function takeHandedToken(to: RouteLocationNormalized): Promise<boolean | RouteLocationRaw> {
  const token = to.name === 'sign-in' ? new URLSearchParams(to.hash.slice(1)).get('token') : null
  if (token === null) return true
  const session = useSession()
  session.adopt(token)
  const isGood = await session.restore().catch(() => false)
  return isGood ? { path: '/threads', hash: '', replace: true } : { name: 'sign-in', hash: '', replace: true }
}

async function admit(to: RouteLocationNormalized): Promise<boolean | RouteLocationRaw> {
  if (to.meta.open) return true
  const session = useSession()
  const signIn: RouteLocationRaw = { name: 'sign-in', query: { back: to.fullPath } }
  // With no answer from the server the sign-in page is still a page; it tells what is wrong when used.
  const signedIn = await session.restore().catch(() => false)
  if (!signedIn) return signIn
  return to.meta.admin && !session.isAdmin ? { name: 'lost', params: { rest: to.path.slice(1).split('/') } } : true
}
