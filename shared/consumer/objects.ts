import { createReadStream } from 'node:fs'
import { resolve, sep } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { storedOctets } from '../archive/exact-octets.ts'
import { type ArchivedData, type Attachment, archivedDataSchema } from '../contract/event.ts'
import type { Sha256 } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'

/** Where an object is, as events say it. */
export interface ObjectPlace {
  /** s3://bucket/key or file:///path. */
  readonly uri: string
  readonly versionId?: string | undefined
  /** So many octets from a place on; undefined: all. */
  readonly range?: { readonly start: number; readonly octets: number } | undefined
}

/** The port of what reads objects. Rejects with ARCHIVE_…. */
export type OpenObject = (place: ObjectPlace) => Promise<Readable>

/**
 * The octets of a message as they were received. The stream fails with ARCHIVE_CONFLICT when they are not those of the event, by length and
 * SHA-256, and with ARCHIVE_UNAVAILABLE when they end early: who reads to the end has read the right ones. The caller reads or destroys it.
 */
export async function openRaw({ raw }: Pick<ArchivedData, 'raw'>, open: OpenObject): Promise<Readable> {
  return checked(raw, await open({ uri: raw.uri, versionId: raw.versionId }))
}

/**
 * The decoded octets of an attachment, checked like those of a message: the object that a route extracted, else its part of the raw message, which is
 * read once to find it and a second time from its place on. Rejects with EVENT_INVALID when the message has no such attachment.
 */
export async function openAttachment(
  { raw }: Pick<ArchivedData, 'raw'>,
  attachment: Attachment,
  open: OpenObject,
): Promise<Readable> {
  const { uri, partPath } = attachment
  if (uri !== undefined) return checked({ ...attachment, uri }, await open({ uri }))
  const { decoded, findPart } = await import('./raw-part.ts')
  const part = await findPart(await openRaw({ raw }, open), partPath)
  const body = await open({ uri: raw.uri, versionId: raw.versionId, range: part })
  return checked({ ...attachment, uri: `${raw.uri}, part ${partPath}` }, decoded(body, part))
}

/**
 * What the event would say had it not been cut: `data` itself, or what `metadata` points to, checked and validated. Rejects with EVENT_INVALID
 * when that is no such thing, and as `openRaw`.
 */
export async function wholeData(data: ArchivedData, open: OpenObject): Promise<ArchivedData> {
  const { metadata } = data
  if (!metadata) return data
  const stream = checked(metadata, await open({ uri: metadata.uri }))
  const octets = Buffer.concat(await stream.toArray())
  const result = archivedDataSchema.safeParse(JSON.parse(octets.toString()))
  if (result.success) return result.data
  throw new IngestError('EVENT_INVALID', `${metadata.uri}: not the data of an event`)
}

/** Reads what Mailsluice keeps under a folder with --local, and nothing outside of it. */
export function openFileObjects(folder: string): OpenObject {
  const root = resolve(folder) + sep
  return async ({ uri, range }) => {
    const path = uri.startsWith('file://') ? fileURLToPath(uri) : uri
    if (!uri.startsWith('file://') || !resolve(path).startsWith(root))
      throw new IngestError('ARCHIVE_DENIED', `${uri}: not a file under ${folder}`)
    if (range?.octets === 0) return Readable.from([])
    return createReadStream(path, range && { start: range.start, end: range.start + range.octets - 1 })
  }
}

function checked(
  { uri, octets, sha256 }: { readonly uri: string; readonly octets: number; readonly sha256: string },
  source: Readable,
): Readable {
  return storedOctets(uri, source, { octets, sha256: sha256 as Sha256 })
}
