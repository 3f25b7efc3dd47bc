import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { Archive } from '../archive/archive.ts'
import { readWhole } from '../archive/read-whole.ts'
import {
  MAILBOX_ID_PATTERN,
  type MailboxId,
  type ObjectKey,
  SHA256_PATTERN,
  type Sha256,
} from '../contract/ids.ts'
import { coverageKey, parseSealKey, SEALS_PREFIX, sealKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { readSegments, type StoredSegment } from '../ledger/ledger.ts'
import { SEAL } from '../limits.ts'
import { decodeLine, splitLines } from '../ndjson.ts'
import { decodeSignedSeal, readSeal, type Seal, type SignedSeal, sealDigest, sealInvalid } from './seal.ts'

// The seals of an archive: evidence/seals/ 1, 2, 3 … each with the SHA-256 of the one before, and the coverage that each names.

/** Up to which segment, and with which digest, each ledger is sealed. */
export type Coverage = ReadonlyMap<MailboxId, { readonly seq: number; readonly sha256: Sha256 }>

export const NO_COVERAGE: Coverage = new Map()

const rowSchema = z.object({
  mailbox: z.string().regex(MAILBOX_ID_PATTERN),
  seq: z.int().min(1),
  sha256: z.string().regex(SHA256_PATTERN),
})

/** NDJSON, a line for each ledger, by id: the same coverage is always the same octets. */
export function encodeCoverage(coverage: Coverage): Buffer {
  const rows = [...coverage].sort(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.from(rows.map(([mailbox, head]) => `${JSON.stringify({ mailbox, ...head })}\n`).join(''))
}

/** Numbers of all seals, ascending. Rejects with ARCHIVE_…, and with SEAL_INVALID when one is missing. */
export async function sealNumbers(archive: Archive): Promise<number[]> {
  const numbers: number[] = []
  for await (const { key } of archive.list(SEALS_PREFIX)) {
    const seq = parseSealKey(key)?.seq
    if (seq === undefined) continue
    if (seq !== numbers.length + 1)
      throw new IngestError('SEAL_INVALID', `${sealKey(numbers.length + 1)} is missing, yet ${key} is there`)
    numbers.push(seq)
  }
  return numbers
}

export interface StoredSeal {
  readonly signed: SignedSeal
  readonly seal: Seal
  readonly digest: Sha256
  readonly coverage: Coverage
}

/** Rejects with ARCHIVE_…, and with SEAL_INVALID when it is none, or its coverage not the one it names. The signature is not looked at. */
export async function readStoredSeal(seq: number, archive: Archive): Promise<StoredSeal> {
  const read = await readSealAlone(seq, archive)
  return { ...read, coverage: await readCoverage(read.seal.coverage as Sha256, archive) }
}

/** A seal without what it covers. Rejects as readStoredSeal does. */
export async function readSealAlone(seq: number, archive: Archive): Promise<Omit<StoredSeal, 'coverage'>> {
  const key = sealKey(seq)
  const content = await readWhole(archive, key, SEAL.objectOctets, tooLong(key))
  const signed = decodeSignedSeal(content.toString('utf8'), key)
  const seal = readSeal(signed, key)
  if (seal.seq !== seq) throw new IngestError('SEAL_INVALID', `${key}: it says that it is seal ${seal.seq}`)
  return { signed, seal, digest: sealDigest(signed) }
}

export async function readCoverage(digest: Sha256, archive: Archive): Promise<Coverage> {
  const key = coverageKey(digest)
  const content = await readWhole(archive, key, SEAL.objectOctets, tooLong(key))
  if (createHash('sha256').update(content).digest('hex') !== digest)
    throw new IngestError('SEAL_INVALID', `${key}: its octets have another SHA-256`)
  const rows = splitLines(content, key, sealInvalid).map((line) =>
    decodeLine(rowSchema, line, key, sealInvalid),
  )
  return new Map(
    rows.map(({ mailbox, seq, sha256 }) => [mailbox as MailboxId, { seq, sha256: sha256 as Sha256 }]),
  )
}

function tooLong(key: ObjectKey): (octets: number) => IngestError {
  return (octets) => sealInvalid(key, `${octets} octets are more than a seal can have`)
}

/**
 * The segments of a ledger after those that `from` covers, to those that `to` does (to the end without it), the chain checked. Rejects as readSegments,
 * and with SEAL_INVALID when the ledger ends before `to`, or has another segment there.
 */
export async function* segmentsBetween(
  mailbox: MailboxId,
  from: Coverage,
  to: Coverage | undefined,
  archive: Archive,
): AsyncGenerator<StoredSegment> {
  const end = to?.get(mailbox)
  const start = from.get(mailbox)
  if (to && (!end || end.seq === start?.seq)) return
  for await (const segment of readSegments(mailbox, archive, start)) {
    const reached = segment.header.seq === end?.seq
    if (reached && segment.sha256 !== end?.sha256)
      throw new IngestError(
        'SEAL_INVALID',
        `segment ${end?.seq} of ${mailbox} has SHA-256 ${segment.sha256}; sealed was ${end?.sha256}`,
      )
    yield segment
    if (reached) return
  }
  if (end)
    throw new IngestError(
      'SEAL_INVALID',
      `the ledger of ${mailbox} ends before segment ${end.seq}, which was sealed`,
    )
}

/** The ledgers that two coverages name, by id: the order of leaves in a tree. */
export function ledgersIn(...sources: readonly Iterable<MailboxId>[]): MailboxId[] {
  return [...new Set(sources.flatMap((ids) => [...ids]))].sort()
}
