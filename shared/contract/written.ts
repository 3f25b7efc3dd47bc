/** A group of settings as it was written: anything may be missing, or of another kind than it should be. */
export type Written = Readonly<Record<string, unknown>>

export interface Mistake {
  readonly path: readonly (string | number)[]
  readonly message: string
}

export function isGroup(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What needs no TLS: this machine alone. */
export const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i
