import type { Problem } from './types'

/** The server refused. `detail` is written for the person who made the mistake. */
export class Refused extends Error {
  override readonly name = 'Refused'

  constructor(readonly status: number, readonly problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`)
  }

  get code(): string {
    return this.problem.code ?? ''
  }

  /** What is wrong with one field of the request, or undefined. */
  field(name: string): string | undefined {
    return this.problem.errors?.find((error) => error.field === name)?.message
  }

  /** The same for a field or anything inside it: "settings.keys" or "settings.keys.0.key". */
  under(name: string): string | undefined {
    return this.problem.errors?.find(({ field }) => field === name || field.startsWith(`${name}.`))?.message
  }
}

/** No answer came: the network is down or the server is away. The request may have arrived. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** Whether the same request may be made again and end differently. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Unreachable) return true
  return error instanceof Refused && (error.status >= 500 || error.status === 429)
}

/** Reads a refusal from a body that should be a problem document but may be a proxy's page. */
export function refusal(status: number, body: unknown): Refused {
  const isDocument = typeof body === 'object' && body !== null
  return new Refused(status, isDocument ? (body as Partial<Problem>) : {})
}
