import type { KeyObject } from 'node:crypto'
import type { Archive } from '../archive/archive.ts'
import type { ObjectKey, Sha256 } from '../contract/ids.ts'
import { parseSealKey, SEALS_PREFIX, sealKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { SEAL } from '../limits.ts'
import { workAhead } from '../work-ahead.ts'
import { isSignedBy, readPublicKey, type Seal } from './seal.ts'
import { type Coverage, NO_COVERAGE, readCoverage, readSealAlone, type StoredSeal } from './seals.ts'

/** What the seals say that the ledgers were. */
export interface SealedLedgers {
  /** The last that can be relied on; undefined when there is none. */
  readonly seal: Seal | undefined
  /** What it covers: the ledgers have these segments for ever. */
  readonly coverage: Coverage
  readonly faults: readonly SealFault[]
}

export interface SealFault {
  readonly key: ObjectKey
  readonly what: string
}

type Read = Omit<StoredSeal, 'coverage'>

/**
 * Reads all seals: that none is left out, that each follows the one before, and that each is signed. The last that `trusted` has signed counts: whoever can write to
 * the archive can write seals too, but not sign them. `trusted` is asked for once, when there are seals; without it each is checked by the key that it brings, which
 * holds against whoever does not think of it. Rejects with ARCHIVE_…: what is wrong with the seals themselves is a fault.
 */
export async function readSealedLedgers(
  archive: Archive,
  trusted: () => Promise<KeyObject | undefined> = async () => undefined,
): Promise<SealedLedgers> {
  const faults: SealFault[] = []
  const signed: Read[] = []
  let expected = 1
  /** Of the seal before; undefined after one that could not be read. */
  let previous: Sha256 | null | undefined = null
  const found = workAhead(numbersIn(archive), SEAL.readAhead, async (seq) => ({
    seq,
    read: await unlessInvalid(readSealAlone(seq, archive)),
  }))
  for await (const { seq, read } of found) {
    const key = sealKey(seq)
    if (seq !== expected) {
      faults.push({ key: sealKey(expected), what: `missing, yet ${key} is there` })
      previous = undefined
    }
    expected = seq + 1
    if (read instanceof IngestError) {
      faults.push({ key, what: read.message })
      previous = undefined
      continue
    }
    if (previous !== undefined && read.seal.previous !== previous)
      faults.push({ key, what: `it follows another seal than ${previous ?? 'none'}` })
    previous = read.digest
    const own = readPublicKey(read.signed.publicKey)
    if (own && isSignedBy(own, read.signed)) signed.push(read)
    else faults.push({ key, what: 'its signature is not by the key that it names' })
  }
  if (signed.length === 0) return { seal: undefined, coverage: NO_COVERAGE, faults }
  return { faults, ...(await lastTrusted(signed, await trusted(), archive, faults)) }
}

async function lastTrusted(
  signed: readonly Read[],
  trusted: KeyObject | undefined,
  archive: Archive,
  faults: SealFault[],
): Promise<Omit<SealedLedgers, 'faults'>> {
  let strange = false
  for (const read of signed.toReversed()) {
    const key = sealKey(read.seal.seq)
    if (trusted && !isSignedBy(trusted, read.signed)) {
      // Of many it is said once: after a change of keys it is so of all before.
      if (!strange) faults.push({ key, what: 'it is signed by another key than the one that is trusted' })
      strange = true
      continue
    }
    const coverage = await unlessInvalid(readCoverage(read.seal.coverage as Sha256, archive))
    if (!(coverage instanceof IngestError)) return { seal: read.seal, coverage }
    faults.push({ key, what: coverage.message })
  }
  return { seal: undefined, coverage: NO_COVERAGE }
}

async function* numbersIn(archive: Archive): AsyncGenerator<number> {
  for await (const { key } of archive.list(SEALS_PREFIX)) {
    const seq = parseSealKey(key)?.seq
    if (seq !== undefined) yield seq
  }
}

/** What is wrong with a seal itself; rejects with the rest. */
async function unlessInvalid<Result>(reading: Promise<Result>): Promise<Result | IngestError> {
  return reading.catch((error: unknown) => {
    if (error instanceof IngestError && INVALID.has(error.code)) return error
    throw error
  })
}

const INVALID: ReadonlySet<string> = new Set(['SEAL_INVALID', 'ARCHIVE_CONFLICT'])
