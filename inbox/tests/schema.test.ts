import userEvent from '@testing-library/user-event'
import { screen, waitFor } from '@testing-library/vue'
import { describe, expect, it, vi } from 'vitest'

import { defineComponent, h, ref } from 'vue'

import { Refused } from '@/api/problem'
import AccountForm from '@/settings/AccountForm.vue'
import { fieldsOf, REMOVED, settingsFrom, unreadable, valuesFor, type Schema } from '@/settings/schema'

import { aPage, expectAccessible } from './page'

/** As pydantic writes it. */
const SCHEMA: Schema = {
  type: 'object',
  required: ['secret', 'mode'],
  $defs: {
    Mode: { type: 'string', enum: ['off', 'accept'], title: 'Mode' },
    Key: { type: 'object', required: ['key'], properties: { kid: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null }, key: { type: 'string', format: 'password', writeOnly: true } } },
    Theme: { type: 'object', properties: { colour: { type: 'string', default: '#3a55d4', description: 'Of the button.' } } },
  },
  properties: {
    secret: { type: 'string', format: 'password', writeOnly: true, title: 'Channel secret' },
    other: { anyOf: [{ type: 'string', format: 'password', writeOnly: true }, { type: 'null' }], default: null, title: 'Second secret' },
    mode: { $ref: '#/$defs/Mode', default: 'off' },
    origins: { type: 'array', items: { type: 'string' }, default: [], title: 'Sites' },
    keys: { type: 'array', items: { $ref: '#/$defs/Key' }, default: [] },
    theme: { $ref: '#/$defs/Theme' },
    limit: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: null },
    on: { type: 'boolean', default: true },
    secrets: { type: 'array', items: { type: 'string', format: 'password', writeOnly: true }, minItems: 1 } as Schema,
    extra: { type: 'object', additionalProperties: true, title: 'Extra' } as Schema,
  },
}
const fields = fieldsOf(SCHEMA)

describe('a form from a schema', () => {
  it('has a control for every field', () => {
    expect(Object.fromEntries(fields.map(({ key, kind }) => [key, kind]))).toEqual({
      secret: 'secret', other: 'secret', mode: 'choice', origins: 'lines', keys: 'groups', theme: 'group', limit: 'number', on: 'switch', secrets: 'secrets', extra: 'json',
    })
    expect(fields.find(({ key }) => key === 'mode')).toMatchObject({ required: true, options: ['off', 'accept'], initial: 'off' })
    expect(fields.find(({ key }) => key === 'theme')?.fields[0]).toMatchObject({ key: 'colour', hint: 'Of the button.' })
  })

  it('spells short names as people do', () => {
    expect(fieldsOf({ properties: { api_base: { type: 'string', title: 'Api Base' }, corp_id: { type: 'string', title: 'Corp Id' }, idle: { type: 'string', title: 'Idle' } } }).map(({ title }) => title)).toEqual(['API Base', 'Corp ID', 'Idle'])
  })

  it('begins with what the schema says, and of a secret knows only that it is there', () => {
    expect(valuesFor(fields, { secret: { set: true }, on: false })).toEqual({
      secret: { set: true }, other: '', mode: 'off', origins: [], keys: [], theme: { colour: '#3a55d4' }, limit: null, on: false, secrets: [], extra: '',
    })
  })

  it('tells no secret that was left blank, and no blank that may be missing', () => {
    const values = { ...valuesFor(fields), origins: [' https://a.example ', ''], extra: '{"a": 1}' }
    expect(settingsFrom(fields, values)).toEqual({ mode: 'off', origins: ['https://a.example'], keys: [], theme: { colour: '#3a55d4' }, on: true, extra: { a: 1 } })
    expect(settingsFrom(fields, { ...values, secret: 's3cret' })).toMatchObject({ secret: 's3cret' })
  })

  it('sends back which of several secrets stay', () => {
    const kept = { set: true, ref: 'abc' }
    const values = { ...valuesFor(fields, { secrets: [kept] }) }
    expect(settingsFrom(fields, values)).toMatchObject({ secrets: [kept] })
    expect(settingsFrom(fields, { ...values, secrets: [kept, 'new', ''] })).toMatchObject({ secrets: [kept, 'new'] })
    expect(settingsFrom(fields, { ...values, secrets: [''] })).not.toHaveProperty('secrets')
  })

  it('finds JSON that cannot be read', () => {
    expect(unreadable(fields, { ...valuesFor(fields), extra: '{' })).toEqual(['extra'])
  })
})

describe('the form of an account', () => {
  const stored = { secret: { set: true }, mode: 'accept', origins: ['https://a.example'] }
  const show = (save: () => Promise<void>, more: object = {}) => aPage(AccountForm, { schema: SCHEMA, title: 'Shop', stored, save, action: 'Save', ...more })

  it('keeps a stored secret that nobody typed anew', async () => {
    const save = vi.fn(() => Promise.resolve())
    const { container } = await show(save)
    await expectAccessible(container)
    await userEvent.selectOptions(screen.getByLabelText('Mode'), 'off')
    await userEvent.click(screen.getByRole('button', { name: 'Save' }))
    await screen.findByText('Saved.')
    expect(save.mock.calls[0]).toEqual(['Shop', expect.objectContaining({ secret: { set: true }, mode: 'off', origins: ['https://a.example'] })])
  })

  it('forgets a typed secret when it is stored', async () => {
    const save = vi.fn(() => Promise.resolve())
    const known = ref(stored)
    await aPage(defineComponent(() => () => h(AccountForm, {
      schema: SCHEMA, title: 'Shop', stored: known.value, action: 'Save',
      save: async () => {
        await save()
        known.value = { ...stored }
      },
    })))
    const secret = screen.getByLabelText<HTMLInputElement>('Channel secret')
    expect(secret.type).toBe('password')
    await userEvent.type(secret, 's3cret')
    await userEvent.click(screen.getByRole('button', { name: 'Save' }))
    await waitFor(() => { expect(secret.value).toBe('') })
    expect(save).toHaveBeenCalledOnce()
  })

  it('tells a refusal at its field', async () => {
    const refusal = new Refused(422, { detail: 'A field is wrong.', errors: [{ field: 'settings.origins', message: 'This is no address of a site.' }] as never })
    await show(() => Promise.reject(refusal))
    await userEvent.click(screen.getByRole('button', { name: 'Save' }))
    await screen.findByText('This is no address of a site.')
    expect(screen.getByLabelText(/Sites/u).getAttribute('aria-invalid')).toBe('true')
  })

  it('can be read and not changed when the configuration file owns it', async () => {
    await show(() => Promise.resolve(), { locked: true })
    expect(screen.queryByRole('button', { name: 'Save' })).toBeNull()
    expect(screen.getByLabelText('Mode').matches(':disabled')).toBe(true)
  })
})

describe('secrets that nobody must have', () => {
  const stored = { secret: { set: true }, other: { set: true }, mode: 'off' }

  it('are told to be nothing when they are taken away; those that must be there stay', () => {
    const fields = fieldsOf(SCHEMA)
    const told = settingsFrom(fields, { ...valuesFor(fields, stored), other: REMOVED, secret: REMOVED })
    expect(told['other']).toBeNull()
    expect('secret' in told).toBe(false)
  })

  it('are taken away by a button, and come back by another', async () => {
    const save = vi.fn(() => Promise.resolve())
    await aPage(AccountForm, { schema: SCHEMA, title: 'Shop', stored, save, action: 'Save' })
    expect(screen.queryByRole('button', { name: 'Remove: Channel secret' })).toBeNull()
    await userEvent.click(screen.getByRole('button', { name: 'Remove: Second secret' }))
    expect(screen.getByText('It is taken away when you save.')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Undo' }))
    await userEvent.click(screen.getByRole('button', { name: 'Remove: Second secret' }))
    expect(screen.queryByText('It is taken away when you save.')).toBeTruthy()
  })

  it('cannot be changed in a locked account, whose fields can be read', async () => {
    const { container } = await aPage(AccountForm, { schema: SCHEMA, title: 'Shop', stored, save: vi.fn(), action: 'Save', locked: true })
    expect(screen.queryByRole('button')).toBeNull()
    expect(screen.getByRole<HTMLInputElement>('textbox', { name: 'Title' }).readOnly).toBe(true)
    expect([...container.querySelectorAll<HTMLInputElement>('input[type=password], textarea')].every(({ readOnly }) => readOnly)).toBe(true)
    await expectAccessible(container)
  })
})
