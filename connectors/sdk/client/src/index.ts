/** The visitor protocol of Trunkline for apps. */
export { ApiError, type ApiOptions } from './api.ts'
export { TrunklineClient, type ClientOptions } from './client.ts'
export type { Events } from './telling.ts'
export type { SocketClass, SocketLike } from './line.ts'
export type { Renewal, Waiting } from './outbox.ts'
export { State } from './state.ts'
export { MemoryFiles, MemoryStore, WebStore, type Files, type Store } from './store.ts'
export type * from './types.ts'
