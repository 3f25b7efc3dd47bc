import type { Archive } from '../archive/archive.ts'
import type { MailboxId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { ledgerKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { readSegment, readSegments, type StoredSegment } from '../ledger/ledger.ts'
import { SEAL } from '../limits.ts'
import { MerkleTree } from '../seal/merkle-tree.ts'
import type { Proof } from '../seal/proof.ts'
import { linesOf } from '../seal/seal.ts'
import {
  ledgersIn,
  NO_COVERAGE,
  readStoredSeal,
  type StoredSeal,
  sealNumbers,
  segmentsBetween,
} from '../seal/seals.ts'
import { leavesOf } from './seal.ts'

// Cuts inclusion proofs from the trees under the seals. A tree is made again from the ledgers, and has to have the root that was signed.

/** Where a ledger names a message, and the words in which it does. */
export interface LedgerLine {
  /** The header is line 1. */
  readonly line: number
  readonly entry: string
  readonly header: string
  /** Of the whole segment. */
  readonly sha256: Sha256
}

export interface Prover {
  /** Rejects with LEDGER_CORRUPT when the segment does not name the message, and with ARCHIVE_…. */
  lineOf(mailbox: MailboxId, seq: number, message: Sha256): Promise<LedgerLine>
  /**
   * The proof for a message that segment `seq` of its mailbox names. Rejects with NOT_SEALED, with SEAL_INVALID when the ledgers are not what was
   * sealed any more, and with ARCHIVE_… and LEDGER_CORRUPT.
   */
  prove(mailbox: MailboxId, seq: number, message: Sha256): Promise<Proof>
}

interface SealedTree {
  readonly tree: MerkleTree
  /** Index of the first leaf of each segment. */
  readonly first: ReadonlyMap<ObjectKey, number>
  readonly octets: number
}

/** For as many proofs as are wanted; seals that are made meanwhile are not seen. Keeps SEAL.treesOctets of trees. */
export function openProver(archive: Archive): Prover {
  const trees = new Map<number, SealedTree>()
  const seals = new Map<number, StoredSeal>()
  let count: Promise<number> | undefined

  const sealOf = async (seq: number): Promise<StoredSeal> => {
    const known = seals.get(seq)
    if (known) return known
    const seal = await readStoredSeal(seq, archive)
    seals.set(seq, seal)
    if (seals.size > SEALS_KEPT) seals.delete(seals.keys().next().value as number)
    return seal
  }

  /** The first seal that covers the segment: coverages only grow. */
  const sealCovering = async (mailbox: MailboxId, seq: number): Promise<number | undefined> => {
    count ??= sealNumbers(archive).then((numbers) => numbers.length)
    const last = await count
    let [low, high] = [1, last + 1]
    while (low < high) {
      const middle = (low + high) >> 1
      const { coverage } = await sealOf(middle)
      if ((coverage.get(mailbox)?.seq ?? 0) >= seq) high = middle
      else low = middle + 1
    }
    return low <= last ? low : undefined
  }

  const treeUnder = async (seq: number): Promise<SealedTree> => {
    const known = trees.get(seq)
    if (known) {
      // The most recently used last.
      trees.delete(seq)
      trees.set(seq, known)
      return known
    }
    const sealed = await sealOf(seq)
    const before = seq > 1 ? (await sealOf(seq - 1)).coverage : NO_COVERAGE
    const tree = await treeAgain(sealed, before, archive)
    trees.set(seq, tree)
    let octets = [...trees.values()].reduce((sum, each) => sum + each.octets, 0)
    for (const [oldest, { octets: freed }] of trees) {
      if (octets <= SEAL.treesOctets || oldest === seq) break
      trees.delete(oldest)
      octets -= freed
    }
    return tree
  }

  /** The last one that was read: messages are mostly asked for segment by segment. */
  let read: { readonly key: ObjectKey; readonly lines: Promise<SegmentLines> } | undefined

  const lineOf = async (mailbox: MailboxId, seq: number, message: Sha256): Promise<LedgerLine> => {
    const key = ledgerKey(mailbox, seq)
    if (read?.key !== key) read = { key, lines: readSegment(mailbox, archive, seq).then(linesIn) }
    const { lines, named, sha256 } = await read.lines
    const line = named.get(message)
    if (line === undefined) throw new IngestError('LEDGER_CORRUPT', `${key} does not name ${message}`)
    return { line, entry: lines[line - 1] as string, header: lines[0] as string, sha256 }
  }

  return {
    lineOf,

    async prove(mailbox, segment, message) {
      const seq = await sealCovering(mailbox, segment)
      if (seq === undefined)
        throw new IngestError('NOT_SEALED', `${mailbox}/${message}: no seal covers segment ${segment}`)
      const { tree, first } = await treeUnder(seq)
      const { signed } = await sealOf(seq)
      const { line, entry } = await lineOf(mailbox, segment, message)
      const leafIndex = (first.get(ledgerKey(mailbox, segment)) as number) + line - 1
      return {
        type: 'mailsluice-proof',
        v: 1,
        mailbox,
        segment,
        line,
        entry,
        leafIndex,
        path: tree.path(leafIndex).map((hash) => hash.toString('hex')),
        ...signed,
      }
    },
  }
}

interface SegmentLines {
  readonly lines: readonly string[]
  /** Number of the first line that names a message. The header is line 1. */
  readonly named: ReadonlyMap<string, number>
  readonly sha256: Sha256
}

function linesIn({ entries, content, sha256 }: StoredSegment): SegmentLines {
  const named = new Map<string, number>()
  for (const [index, entry] of entries.entries())
    if (entry.type === 'message' && !named.has(entry.sha256)) named.set(entry.sha256, index + 2)
  return { lines: linesOf(content).map((line) => line.toString('utf8')), named, sha256 }
}

/** Of ten years, every day; each holds the coverage of all ledgers. */
const SEALS_KEPT = 16

async function treeAgain(
  { seal, coverage }: StoredSeal,
  before: StoredSeal['coverage'],
  archive: Archive,
): Promise<SealedTree> {
  const leaves: Buffer[] = []
  const first = new Map<ObjectKey, number>()
  for (const mailbox of ledgersIn(before.keys(), coverage.keys()))
    for await (const { header, content } of segmentsBetween(mailbox, before, coverage, archive)) {
      const key = ledgerKey(mailbox, header.seq)
      first.set(key, leaves.length)
      leaves.push(...leavesOf(key, content))
    }
  const tree = new MerkleTree(Buffer.concat(leaves))
  if (tree.size !== seal.treeSize || tree.root.toString('hex') !== seal.root)
    throw new IngestError(
      'SEAL_INVALID',
      `the ledgers under seal ${seal.seq} are not what was sealed: their root is ${tree.root.toString('hex')}, and the seal has ${seal.root}`,
    )
  return { tree, first, octets: leaves.length * 64 + first.size * 200 }
}

/** The segment that names a message first; undefined when none does. Rejects with ARCHIVE_… and LEDGER_CORRUPT. */
export async function segmentOf(
  mailbox: MailboxId,
  message: Sha256,
  archive: Archive,
): Promise<number | undefined> {
  for await (const { header, entries } of readSegments(mailbox, archive))
    for (const entry of entries) if (entry.type === 'message' && entry.sha256 === message) return header.seq
  return undefined
}
