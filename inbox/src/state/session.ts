import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

import { blobs } from '@/api/blobs'
import { api, call } from '@/api/client'
import { Refused } from '@/api/problem'
import { dropToken, keepToken, readToken } from '@/api/token'
import type { Agent, SessionGrant } from '@/api/types'

export interface SetupForm {
  token: string
  name: string
  email: string
  password: string
}

/** Who is signed in. */
export const useSession = defineStore('session', () => {
  const agent = shallowRef<Agent | null>(null)
  /** The token stopped being good while the agent was at work; the sign-in page says so. */
  const expired = ref(false)
  const isAdmin = computed(() => agent.value?.role === 'admin')

  async function signIn(email: string, password: string, stay: boolean): Promise<void> {
    enter(await call(api.POST('/api/v1/sessions', { body: { email, password } })), stay)
  }

  async function setUp(form: SetupForm): Promise<void> {
    enter(await call(api.POST('/api/v1/setup', { body: form })), false)
  }

  function enter(grant: SessionGrant, stay: boolean): void {
    keepToken(grant.token, stay)
    agent.value = grant.agent
    expired.value = false
  }

  /** Whether somebody is signed in, from the kept token if need be. Raises `Unreachable` when that cannot be told. */
  async function restore(): Promise<boolean> {
    if (agent.value !== null) return true
    if (readToken() === null) return false
    try {
      agent.value = await call(api.GET('/api/v1/me'))
      return true
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return false
      throw error
    }
  }

  /** Takes a token that somebody else got for this agent; `restore` tells whether it is good. */
  function adopt(token: string): void {
    leave(false)
    keepToken(token, false)
  }

  async function signOut(): Promise<void> {
    try {
      await call(api.DELETE('/api/v1/sessions/current'))
    } finally {
      leave(false)
    }
  }

  function leave(becauseExpired: boolean): void {
    dropToken()
    blobs.clear()
    agent.value = null
    expired.value = becauseExpired
  }

  return { agent, expired, isAdmin, signIn, setUp, restore, adopt, signOut, leave }
})
