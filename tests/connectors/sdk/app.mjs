// An app for the tests: the real client in Node. It does what it reads, one JSON per line, and tells what happens.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TrunklineClient } from '../../../connectors/sdk/client/src/index.ts'

const options = JSON.parse(process.argv[2])
const tell = (event, what) => process.stdout.write(`${JSON.stringify({ event, what })}\n`)

/** Everything in one file, written before anybody goes on. */
class FileStore {
  read(name) {
    return Promise.resolve(this.all()[name] ?? null)
  }

  write(entries) {
    const all = Object.entries({ ...this.all(), ...entries }).filter(([, text]) => text !== null)
    // All or nothing, also when the process is killed.
    writeFileSync(`${options.file}.new`, JSON.stringify(Object.fromEntries(all)))
    renameSync(`${options.file}.new`, options.file)
    return Promise.resolve()
  }

  all() {
    try {
      return JSON.parse(readFileSync(options.file, 'utf8'))
    } catch {
      return {}
    }
  }
}

if (options.polls) delete globalThis.WebSocket
const client = new TrunklineClient({ platform: 'ios', version: '3.0.3', ...options, store: new FileStore() })
for (const name of ['message', 'updated', 'unread', 'typing', 'connection', 'ended', 'broken']) {
  client.on(name, (what) => tell(name, what instanceof Error ? String(what) : what))
}
client.on('outbox', (items) => tell('outbox', items.map((one) => [one.text ?? one.kind, one.state, one.problem ?? null])))

const acts = {
  start: () => client.start(),
  stop: () => client.stop(),
  wake: () => client.wake(),
  send: (text) => client.send(text),
  file: (text) => client.sendFile(new Blob([text], { type: 'text/plain' }), { name: 'note.txt', text: 'Read this' }),
  read: () => client.markRead(),
  typing: () => client.typing(),
  identify: (jwt) => client.identify(jwt),
  logout: () => client.logout({ force: true }),
  device: (push_token) => client.registerDevice({ provider: 'fcm', push_token }),
  contact: (patch) => client.setContact(patch),
  can: (feature) => client.can(feature),
  texts: () => (client.state.live ? client.state.of(client.state.live.id).map((one) => one.text) : []),
  history: async () => (await client.history('live', 1000, 100)).messages.map((one) => one.text),
  unread: () => client.unread(),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { act, what } = JSON.parse(line)
  try {
    tell('done', (await acts[act](what)) ?? null)
  } catch (error) {
    tell('refused', error.code ?? String(error))
  }
}
client.stop()
