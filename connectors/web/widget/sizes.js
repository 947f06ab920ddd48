// Prints what a first open loads, and fails when that is more than it may be.
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const LIMIT = 25 * 1024
const folder = fileURLToPath(new URL('../trunkline_web/widget/', import.meta.url))
const manifest = JSON.parse(readFileSync(`${folder}manifest.json`, 'utf8'))
const app = Object.values(manifest).find((one) => one.isEntry)

/** Return the size of a built file as it goes over the wire. */
const size = (name) => gzipSync(readFileSync(folder + name), { level: 9 }).length
const line = (name, bytes) => process.stdout.write(`  ${name.padEnd(34)} ${(bytes / 1024).toFixed(2).padStart(6)} KB\n`)

const first = ['loader.js', app.file, ...(app.css ?? []), ...(app.imports ?? []).map((key) => manifest[key].file)]
const later = readdirSync(`${folder}assets`).map((name) => `assets/${name}`).filter((name) => !first.includes(name))
const words = later.filter((name) => app.dynamicImports?.some((key) => manifest[key].file === name))

let total = 0
for (const name of first) {
  line(name, size(name))
  total += size(name)
}
const largest = words.map((name) => [size(name), name]).sort((a, b) => b[0] - a[0])[0] ?? [0, '']
line(`${largest[1]} (largest of ${words.length})`, largest[0])
total += largest[0]
line('a first open, gzip', total)
if (total > LIMIT) {
  process.stderr.write(`A first open may load ${LIMIT / 1024} KB: take something out.\n`)
  process.exit(1)
}
