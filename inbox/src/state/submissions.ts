import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

import { api, call, newKey, once } from '@/api/client'
import type { FormQuestion, MatrixRow, SubmissionScope, SubmissionSetting } from '@/api/types'

/** The one deployment, as an address names it. */
export const ALL = 'all'

/** How leave-a-message forms are set, and which of them each channel takes. */
export const useSubmissions = defineStore('submissions', () => {
  const table = shallowRef<readonly MatrixRow[]>([])
  const settings = shallowRef<ReadonlyMap<string, SubmissionSetting>>(new Map())
  /** What is asked where nothing is set. */
  const usual = shallowRef<readonly FormQuestion[]>([])
  const loaded = ref(false)
  const error = shallowRef<unknown>(null)

  async function load(): Promise<void> {
    error.value = null
    try {
      const [rows, page] = await Promise.all([call(api.GET('/api/v1/submissions/matrix')), call(api.GET('/api/v1/submissions/settings'))])
      table.value = rows.items
      settings.value = new Map(page.items.map(({ scope, scope_id, setting }) => [placeOf(scope, scope_id), setting]))
      usual.value = page.default_fields
      loaded.value = true
    } catch (failure) {
      error.value = failure
    }
  }

  /** Raises `Refused` or `Unreachable`. Nothing said is no setting. */
  async function save(scope: SubmissionScope, id: string, setting: SubmissionSetting): Promise<void> {
    const path = { scope, scope_id: id }
    const shown = await call(api.PUT('/api/v1/submissions/settings/{scope}/{scope_id}', { params: { path }, headers: once(newKey()), body: setting }))
    const others = [...settings.value].filter(([place]) => place !== placeOf(scope, id))
    const isSet = Object.values(shown.setting).some((value) => value !== null)
    settings.value = new Map(isSet ? [...others, [placeOf(scope, id), shown.setting]] : others)
  }

  const of = (scope: SubmissionScope, id: string): SubmissionSetting => settings.value.get(placeOf(scope, id)) ?? {}

  return { table, settings, usual, loaded, error, load, save, of }
})

function placeOf(scope: SubmissionScope, id: string): string {
  return `${scope}/${id}`
}
