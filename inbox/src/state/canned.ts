import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

import { api, call, newKey, once } from '@/api/client'
import type { CannedReply, CannedReplyChange, NewCannedReply } from '@/api/types'

/** The canned replies that this agent may use: their own and the team's. */
export const useCanned = defineStore('canned', () => {
  const all = shallowRef<readonly CannedReply[]>([])
  const loaded = ref(false)
  const busy = ref(false)
  const error = shallowRef<unknown>(null)

  async function load(): Promise<void> {
    if (busy.value) return
    busy.value = true
    error.value = null
    try {
      all.value = (await call(api.GET('/api/v1/canned-replies'))).items
      loaded.value = true
    } catch (failure) {
      error.value = failure
    } finally {
      busy.value = false
    }
  }

  /** Loads them when they were never asked for. */
  async function ensure(): Promise<void> {
    if (!loaded.value && error.value === null) await load()
  }

  /** Raises `Refused` or `Unreachable`, as all that follow. */
  async function add(reply: NewCannedReply): Promise<void> {
    put(await call(api.POST('/api/v1/canned-replies', { headers: once(newKey()), body: reply })))
  }

  async function change(id: string, reply: CannedReplyChange): Promise<void> {
    put(await call(api.PATCH('/api/v1/canned-replies/{reply_id}', { params: { path: { reply_id: id } }, headers: once(newKey()), body: reply })))
  }

  async function remove(id: string): Promise<void> {
    await call(api.DELETE('/api/v1/canned-replies/{reply_id}', { params: { path: { reply_id: id } }, headers: once(newKey()) }))
    all.value = all.value.filter((one) => one.id !== id)
  }

  function put(reply: CannedReply): void {
    all.value = [...all.value.filter(({ id }) => id !== reply.id), reply].sort((a, b) => a.shortcut.localeCompare(b.shortcut))
  }

  return { all, loaded, busy, error, load, ensure, add, change, remove }
})
