// The worker of the inbox. It gives one page when there is no network, and keeps nothing else: answers of the API,
// customers' files and the app itself always come from the server.
const KEPT = 'trunkline-offline-1'
const PAGE = '/inbox/offline.html'
const PARTS = [PAGE, '/inbox/offline.css', '/inbox/mark.svg']

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(PARTS)).then(() => self.skipWaiting()))
})

self.addEventListener('activate', (event) => {
  const others = caches.keys().then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))))
  event.waitUntil(others.then(() => self.clients.claim()))
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { pathname } = new URL(request.url)
  if (request.mode === 'navigate') event.respondWith(fetch(request).catch(() => caches.match(PAGE)))
  else if (PARTS.includes(pathname)) event.respondWith(fetch(request).catch(() => caches.match(pathname)))
})

// A notification that a telephone lets only a worker show: a click brings the inbox to the front.
self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const threads = `/inbox/threads/${encodeURIComponent(event.notification.tag)}`
  event.waitUntil(
    self.clients.matchAll({ type: 'window' }).then((all) => (all[0] ? all[0].focus() : self.clients.openWindow(threads))),
  )
})
