import { expect, test } from 'vitest'
import { carried, filled, mistakesIn, refused, type Field } from '../src/app/form/form'

const field = (key: string, kind = 'text', more: Partial<Field> = {}): Field =>
  ({ key, kind, label: key, required: false, options: [], max_length: 10, ...more })

test('blank answers and answers to no question are not sent, the others without blanks around them', () => {
  const fields = [field('a'), field('b'), field('c', 'checkbox'), field('d', 'multi_select'), field('e')]
  expect(filled(fields, { a: ' x ', b: '  ', c: false, d: [], e: 'y', old: 'z' })).toEqual({ a: 'x', e: 'y' })
})

test.each([
  ['text', '', 'required'], ['text', '   ', 'required'], ['checkbox', false, 'required'], ['multi_select', [], 'required'],
  ['email', 'nobody', 'invalid'], ['email', 'a b@shop.example', 'invalid'], ['phone', '12', 'invalid'], ['phone', 'none', 'invalid'],
])('a required %s with %j is %s', (kind, answer, code) => {
  expect(mistakesIn([field('a', kind, { required: true, max_length: 40 })], { a: answer })).toEqual({ a: { code } })
})

test.each([
  ['text', 'x'], ['email', 'ü@shop.example'], ['phone', '+48 (22) 123-45-67'], ['checkbox', true], ['multi_select', ['x']], ['date', '2026-12-31'],
])('a required %s with %j is right', (kind, answer) => {
  expect(mistakesIn([field('a', kind, { required: true, max_length: 40 })], { a: answer })).toEqual({})
})

test('what may be left out may be left out', () => {
  expect(mistakesIn([field('a'), field('b', 'email')], {})).toEqual({})
})

test('characters are counted as people do', () => {
  expect(mistakesIn([field('a')], { a: '🚲'.repeat(10) })).toEqual({})
  expect(mistakesIn([field('a')], { a: '🚲'.repeat(12) })).toEqual({ a: { code: 'too_long', n: 2 } })
})

test('what the server says of questions that are not there is left out', () => {
  const told = [{ field: 'a', code: 'required', message: 'x' }, { field: 'gone', code: 'unknown_field', message: 'y' }]
  expect(refused(told, [field('a')])).toEqual({ a: { code: 'required' } })
  expect(refused(undefined, [field('a')])).toEqual({})
})

test('a changed form keeps the answers that still fit', () => {
  const fields = [field('same'), field('pick', 'select', { options: ['x'] }), field('many', 'multi_select', { options: ['x', 'y'] }),
    field('tick', 'checkbox'), field('other', 'select', { options: ['z'] }), field('turned', 'checkbox')]
  const answers = { same: 'a', pick: 'x', many: ['x', 'gone'], tick: true, other: 'x', turned: 'text', gone: 'b' }
  expect(carried(fields, answers)).toEqual({ same: 'a', pick: 'x', many: ['x'], tick: true })
})
