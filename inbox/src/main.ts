import '@fontsource-variable/inter/index.css'
import './design/tokens.css'
import './design/base.css'

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import { onUnauthorised } from './api/client'
import App from './App.vue'
import { registerWorker } from './frame/offline'
import { i18n, setLocale } from './i18n'
import { createAppRouter } from './router'
import { usePreferences } from './state/preferences'
import { useSession } from './state/session'

async function start(): Promise<void> {
  const app = createApp(App)
  app.use(createPinia())
  app.use(i18n)
  await setLocale(usePreferences().locale)
  const router = createAppRouter()
  app.use(router)
  onUnauthorised(() => {
    const session = useSession()
    const wasIn = session.agent !== null
    session.leave(wasIn)
    if (wasIn) void router.push({ name: 'sign-in', query: { back: router.currentRoute.value.fullPath } })
  })
  await router.isReady()
  app.mount('#app')
  registerWorker()
}

void start()
