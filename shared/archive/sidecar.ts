import * as z from 'zod'
import type { DrainId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { SHA256_PATTERN } from '../contract/ids.ts'

// What S3 keeps as an object's headers, the file adapter keeps in a JSON file of its own beside the object.

const schema = z.object({
  key: z.string(),
  octets: z.int().nonnegative(),
  sha256: z.string().regex(SHA256_PATTERN),
  contentType: z.string(),
  writtenFor: z.object({ seq: z.int().nonnegative(), drain: z.string() }),
  /** ISO 8601; when the put began. */
  storedAt: z.string(),
  /** Name of the put; the octets are (or were until it ended) in `.incoming/<put>.data`. */
  put: z.uuid(),
})

export interface Sidecar {
  readonly key: ObjectKey
  readonly octets: number
  readonly sha256: Sha256
  readonly contentType: string
  readonly writtenFor: { readonly seq: number; readonly drain: DrainId }
  readonly storedAt: string
  readonly put: string
}

export function formatSidecar(sidecar: Sidecar): Buffer {
  return Buffer.from(`${JSON.stringify(sidecar)}\n`)
}

/** Undefined for anything that formatSidecar did not make. */
export function parseSidecar(octets: Buffer): Sidecar | undefined {
  try {
    return schema.parse(JSON.parse(octets.toString())) as Sidecar
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined
    throw error
  }
}
