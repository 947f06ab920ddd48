/** Where the bearer token lives: this tab only, or this browser when the agent asked to stay signed in. */
const KEY = 'trunkline.token'

export function readToken(): string | null {
  return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY)
}

export function keepToken(token: string, staySignedIn: boolean): void {
  dropToken()
  const storage = staySignedIn ? localStorage : sessionStorage
  storage.setItem(KEY, token)
}

export function dropToken(): void {
  sessionStorage.removeItem(KEY)
  localStorage.removeItem(KEY)
}
