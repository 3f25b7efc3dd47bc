import type { ParsedMessage } from '../mail/parsed-message.ts'

/** What the pool sends to a worker: octets that it may read until it has answered, or the path of a spool file. */
export type Job = { readonly id: number; readonly fields: readonly string[] } & (
  | { readonly octets: Uint8Array; readonly path?: undefined }
  | { readonly path: string; readonly octets?: undefined }
)

/** What a worker sends: once `ready`, then one answer for each job, in order, sent before it begins with the next. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'parsed'; readonly id: number; readonly parsed: ParsedMessage }
  /** The parser threw: a defect of it. */
  | { readonly kind: 'defect'; readonly id: number }
  /** The spool file could not be read: not the message's doing. */
  | { readonly kind: 'unreadable'; readonly id: number; readonly reason: string }
