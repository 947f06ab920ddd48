// Prints what a first open loads and what comes later, and fails when that is more than it may be.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const FIRST = 25 * 1024
const LATER = 8 * 1024
const folder = fileURLToPath(new URL('../trunkline_web/widget/', import.meta.url))
const manifest = JSON.parse(readFileSync(`${folder}manifest.json`, 'utf8'))
const app = Object.entries(manifest).find(([, one]) => one.isEntry)[0]

/** Return the size of a built file as it goes over the wire. */
const size = (name) => gzipSync(readFileSync(folder + name), { level: 9 }).length
const line = (name, bytes) => process.stdout.write(`  ${name.padEnd(42)} ${(bytes / 1024).toFixed(2).padStart(6)} KB\n`)

/** Return the files of a chunk and of all that it needs, but for those that are there already. */
const filesOf = (key, there = []) => {
  const { file, css = [], imports = [] } = manifest[key]
  return [file, ...css, ...imports.flatMap((one) => filesOf(one, there))].filter((name) => !there.includes(name))
}

/** Print files with the largest of the languages; returns their size together. */
function told(title, files, language) {
  const words = Object.keys(manifest).filter((key) => language.test(key)).map((key) => manifest[key].file)
  const sizes = words.map((name) => [size(name), name]).sort((a, b) => b[0] - a[0])
  for (const name of files) line(name, size(name))
  line(`${sizes[0][1]} (largest of ${words.length})`, sizes[0][0])
  const total = files.reduce((sum, name) => sum + size(name), sizes[0][0])
  line(title, total)
  return total
}

const first = ['loader.js', ...filesOf(app)]
const chunks = manifest[app].dynamicImports.filter((key) => !key.includes('/words/'))
const later = [...new Set(chunks.flatMap((key) => filesOf(key, first)))]
const tooMuch = [
  told('a first open, gzip', first, /\/words\/[^/]+$/) > FIRST && `A first open may load ${FIRST / 1024} KB: take something out.`,
  told('all that comes later, gzip', later, /\/words\/more\//) > LATER && `What comes later may be ${LATER / 1024} KB: take something out.`,
].filter(Boolean)
if (tooMuch.length) {
  process.stderr.write(`${tooMuch.join('\n')}\n`)
  process.exit(1)
}
