import { open as openFile } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { storedOctets } from '../archive/exact-octets.ts'
import { errnoOf, toFileError } from '../archive/file-errors.ts'
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

/** The port of what reads objects. Rejects with OBJECT_GONE when it is not there, else with ARCHIVE_…. */
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
 * read once to find it and a second time from its place on. That is read too when the object is not to be had any more, for what is derived
 * expires. Rejects with EVENT_INVALID when the message has no such attachment, and with what the raw message is refused with.
 */
export async function openAttachment(
  { raw }: Pick<ArchivedData, 'raw'>,
  attachment: Attachment,
  open: OpenObject,
): Promise<Readable> {
  const extracted = attachment.uri === undefined ? undefined : await openExtracted(attachment.uri, open)
  if (extracted) return checked({ ...attachment, uri: attachment.uri as string }, extracted)
  const { partPath } = attachment
  const { decoded, findPart } = await import('./raw-part.ts')
  const part = await findPart(await openRaw({ raw }, open), partPath)
  const body = await open({ uri: raw.uri, versionId: raw.versionId, range: part })
  return checked({ ...attachment, uri: `${raw.uri}, part ${partPath}` }, decoded(body, part))
}

/** Also when it is refused: to who may not list a bucket S3 says so of what is not there. */
const NOT_TO_BE_HAD: readonly string[] = ['OBJECT_GONE', 'ARCHIVE_DENIED', 'ARCHIVE_MISSING']

async function openExtracted(uri: string, open: OpenObject): Promise<Readable | undefined> {
  try {
    return await open({ uri })
  } catch (error) {
    if (error instanceof IngestError && NOT_TO_BE_HAD.includes(error.code)) return undefined
    throw error
  }
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
    try {
      const file = await openFile(path)
      return file.createReadStream(range && { start: range.start, end: range.start + range.octets - 1 })
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw new IngestError('OBJECT_GONE', `${uri}: no such file`)
      throw toFileError(error, uri)
    }
  }
}

function checked(
  { uri, octets, sha256 }: { readonly uri: string; readonly octets: number; readonly sha256: string },
  source: Readable,
): Readable {
  return storedOctets(uri, source, { octets, sha256: sha256 as Sha256 })
}
