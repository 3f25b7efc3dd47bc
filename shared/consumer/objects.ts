import { createReadStream } from 'node:fs'
import { resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'
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
 * The decoded octets of an attachment that a route extracts, checked like those of a message. Rejects with ATTACHMENT_NOT_EXTRACTED when the event
 * names no object for it.
 */
export async function openAttachment(attachment: Attachment, open: OpenObject): Promise<Readable> {
  const { uri, partPath } = attachment
  if (uri === undefined)
    throw new IngestError('ATTACHMENT_NOT_EXTRACTED', `part ${partPath}: the event names no object with it`)
  return checked({ ...attachment, uri }, await open({ uri }))
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
  return async ({ uri }) => {
    const path = uri.startsWith('file://') ? fileURLToPath(uri) : uri
    if (!uri.startsWith('file://') || !resolve(path).startsWith(root))
      throw new IngestError('ARCHIVE_DENIED', `${uri}: not a file under ${folder}`)
    return createReadStream(path)
  }
}

function checked(
  { uri, octets, sha256 }: { readonly uri: string; readonly octets: number; readonly sha256: string },
  source: Readable,
): Readable {
  return storedOctets(uri, source, { octets, sha256: sha256 as Sha256 })
}
