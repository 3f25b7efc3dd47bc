import * as z from 'zod'
import type { DrainId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { SHA256_PATTERN } from '../contract/ids.ts'

// What S3 keeps as an object's headers, the file adapter keeps in a JSON file beside the object: one of its own, or one that many objects
// share, which says what their keys do not (shared-metadata.ts).

const common = z.object({
  contentType: z.string(),
  writtenFor: z.object({ seq: z.int().nonnegative(), drain: z.string() }),
  /** ISO 8601; when the put began, or the first of the group. */
  storedAt: z.string(),
})

const ownSchema = common.extend({
  key: z.string(),
  octets: z.int().nonnegative(),
  sha256: z.string().regex(SHA256_PATTERN),
  /** Name of the put; the octets are (or were until it ended) in `.incoming/<put>.data`. */
  put: z.uuid(),
})

const sharedSchema = common.extend({
  /** Part of the names of its puts. */
  group: z.uuid(),
})

interface Common {
  readonly contentType: string
  readonly writtenFor: { readonly seq: number; readonly drain: DrainId }
  readonly storedAt: string
}

/** What is known of an object, wherever it stands. */
export interface Sidecar extends Common {
  readonly key: ObjectKey
  readonly sha256: Sha256
  readonly put: string
}

export interface OwnSidecar extends Sidecar {
  readonly octets: number
}

export interface SharedSidecar extends Common {
  readonly group: string
}

export function formatSidecar(sidecar: OwnSidecar): Buffer {
  return line(sidecar)
}

export function formatSharedSidecar(sidecar: SharedSidecar): Buffer {
  return line(sidecar)
}

/** Metadata that says its key; undefined for anything that formatSidecar did not make. */
export function parseSidecar(octets: Buffer): Sidecar | undefined {
  const own = ownSchema.safeParse(json(octets))
  return own.success ? (own.data as OwnSidecar) : undefined
}

/** The metadata of a key, its own or shared; undefined for anything that was not made for it. */
export function parseSidecarOf(key: ObjectKey, octets: Buffer): Sidecar | undefined {
  const shared = sharedSchema.safeParse(json(octets))
  if (!shared.success) return parseSidecar(octets)
  const { group, ...facts } = shared.data as SharedSidecar
  const sha256 = digestIn(key)
  const put = sharedPut(group, key)
  return sha256 === undefined || put === undefined ? undefined : { ...facts, key, sha256, put }
}

/** The SHA-256 that a key says of its object: its last part begins with it. */
export function digestIn(key: ObjectKey): Sha256 | undefined {
  const digest = key.slice(key.lastIndexOf('/') + 1, key.lastIndexOf('/') + 65)
  return SHA256_PATTERN.test(digest) ? (digest as Sha256) : undefined
}

/** A file name has at most 255 octets; an ending comes after it. */
const PUT_OCTETS = 240

/** Name of a put with shared metadata: from it alone one knows what it puts. Undefined where it would be too long. */
export function sharedPut(group: string, key: ObjectKey): string | undefined {
  const put = `${group},${key.replaceAll('/', ',')}`
  return put.length <= PUT_OCTETS ? put : undefined
}

/** Undefined for a put that has metadata of its own. No key has a comma. */
export function keyOfSharedPut(put: string): ObjectKey | undefined {
  const comma = put.indexOf(',')
  return comma < 0 ? undefined : (put.slice(comma + 1).replaceAll(',', '/') as ObjectKey)
}

function line(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}

/** Undefined for what is none. */
function json(octets: Buffer): unknown {
  try {
    return JSON.parse(octets.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
