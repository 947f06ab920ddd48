import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { VARIABLES } from '@/composer/canned'
import { detectLocale } from '@/i18n'
import en from '@/i18n/en.json'
import pl from '@/i18n/pl.json'
import hans from '@/i18n/zh-Hans.json'
import hant from '@/i18n/zh-Hant.json'
import { regionOf } from '@/i18n/region'

const ROOT = join(import.meta.dirname, '../src')

function flat(tree: object, prefix = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[prefix + key, value] as [string, string]] : flat(value as object, `${prefix}${key}.`),
  )
}

const english = new Map(flat(en))
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/gu) ?? [])].sort()
const forms = (text: string) => text.split(' | ').length

describe.each([['zh-Hans', hans, 1], ['zh-Hant', hant, 1], ['pl', pl, 3]] as const)('the catalogue %s', (_locale, catalogue, plurals) => {
  const messages = new Map(flat(catalogue))

  it('has the keys of the English one and no others', () => {
    expect([...messages.keys()].sort()).toEqual([...english.keys()].sort())
  })

  it('leaves no text empty', () => {
    expect([...messages].filter(([, text]) => text.trim() === '')).toEqual([])
  })

  it('fills in the same places', () => {
    const different = [...messages].filter(([key, text]) => placeholders(text).join() !== placeholders(english.get(key) ?? '').join())
    expect(different).toEqual([])
  })

  it('has as many plural forms as its language', () => {
    const wrong = [...messages].filter(([key, text]) => forms(text) !== (forms(english.get(key) ?? '') > 1 ? plurals : 1))
    expect(wrong).toEqual([])
  })
})

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(vue|ts)$/u.test(name) && !name.endsWith('.d.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
}

describe('the code', () => {
  const text = sources(ROOT).join('\n')
  const quoted = new Set([...text.matchAll(/['"`]([a-z]\w*(?:\.\w+)+)['"`]/giu)].map((match) => match[1] ?? ''))
  const sections = new Set([...english.keys()].map((key) => key.split('.')[0]))
  /** Built from a part that is a word of the API: t(`window.after.${…}`). */
  const built = [...text.matchAll(/t\(`([\w.]+)\$\{/gu)].map((match) => match[1] ?? '')

  it('asks for no text that is missing', () => {
    const asked = [...text.matchAll(/\bt\(\s*'([\w.]+)'/gu)].map((match) => match[1] ?? '')
    expect(asked.filter((key) => !english.has(key))).toEqual([])
    const strings = [...text.matchAll(/'([a-z]\w*(?:\.\w+)+)'/giu)].map((match) => match[1] ?? '')
    const isVariable = (key: string) => (VARIABLES as readonly string[]).includes(key)
    const named = strings.filter((key) => sections.has(key.split('.')[0]) && !english.has(key) && !isVariable(key))
    expect(named).toEqual([])
  })

  it('uses every text there is', () => {
    const unused = [...english.keys()].filter((key) => !quoted.has(key) && !built.some((start) => key.startsWith(start)))
    expect(unused).toEqual([])
  })
})

describe('the language', () => {
  it.each([
    [['pl-PL', 'en'], 'pl'],
    [['zh-TW'], 'zh-Hant'],
    [['zh-HK'], 'zh-Hant'],
    [['zh-CN'], 'zh-Hans'],
    [['zh'], 'zh-Hans'],
    [['fr-FR', 'pl'], 'pl'],
    [['fr-FR'], 'en'],
    [[null, 'en-GB'], 'en'],
  ] as const)('of a browser that wishes %j is %s', (wishes, expected) => {
    expect(detectLocale(wishes)).toBe(expected)
  })

  it('brings the country of the browser for times and numbers', () => {
    expect(regionOf('en', ['de-DE', 'en-GB', 'en-US'])).toBe('en-GB')
    expect(regionOf('zh-Hant', ['zh-CN', 'zh-TW'])).toBe('zh-TW')
    expect(regionOf('pl', ['en-GB'])).toBe('pl')
  })
})
