import { createHash } from 'node:crypto'
import type { Archive } from '../archive/archive.ts'
import type { DrainId, MailboxId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { coverageKey, ledgerKey, sealKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { begunAhead } from '../lanes.ts'
import type { StoredSegment } from '../ledger/ledger.ts'
import { SEAL } from '../limits.ts'
import { memoryOctets } from '../octets.ts'
import { HASH_OCTETS, MerkleTree } from '../seal/merkle-tree.ts'
import { isSignedBy, lineLeaf, linesOf, readPublicKey, type Seal, type SignedSeal } from '../seal/seal.ts'
import {
  type Coverage,
  encodeCoverage,
  ledgersIn,
  NO_COVERAGE,
  readStoredSeal,
  sealNumbers,
  segmentsBetween,
} from '../seal/seals.ts'
import type { Signer, TimestampAuthority } from '../seal/signer.ts'

// Sealing: what the ledgers say since the last seal becomes leaves of a tree, and its root is signed, stamped and stored under lock. Whoever rewrites
// a ledger later, chain and all, cannot make it fit the seals again.

export interface SealPorts {
  readonly archive: Archive
  readonly signer: Signer
  readonly authorities: readonly TimestampAuthority[]
  readonly now?: (() => Date) | undefined
}

export interface SealReport {
  /** Those that were made; none when nothing was added since the last. */
  readonly seals: readonly Seal[]
  /** Ledgers that could not be sealed further, for they do not verify. */
  readonly broken: readonly { readonly mailbox: MailboxId; readonly error: IngestError }[]
  /** Timestamps that could not be had: the seals stand without them. */
  readonly unstamped: readonly IngestError[]
}

interface Head {
  readonly seq: number
  readonly digest: Sha256 | null
  readonly coverage: Coverage
}

/**
 * Seals everything that was added to the ledgers of `mailboxes`, and to those that were sealed before. May run twice at a time: of two seals
 * with one number one is stored, and the other run goes on after it. `keepGoing` is asked before each seal. Rejects with ARCHIVE_…, SIGNING_…, and
 * SEAL_INVALID when the last seal is not what its key has signed.
 */
export async function sealLedgers(
  mailboxes: readonly MailboxId[],
  ports: SealPorts,
  keepGoing: () => boolean = () => true,
): Promise<SealReport> {
  const seals: Seal[] = []
  const broken = new Map<MailboxId, IngestError>()
  const unstamped: IngestError[] = []
  let head = await lastSeal(ports.archive)
  while (keepGoing()) {
    const draft = await gather(
      ledgersIn(mailboxes, head.coverage.keys()),
      head.coverage,
      broken,
      ports.archive,
    )
    if (draft.tree.size === 0) break
    const sealed = await store(draft, head, ports, unstamped)
    if (sealed) {
      seals.push(sealed.seal)
      head = sealed.head
    } else head = await lastSeal(ports.archive)
  }
  return { seals, broken: [...broken].map(([mailbox, error]) => ({ mailbox, error })), unstamped }
}

async function lastSeal(archive: Archive): Promise<Head> {
  const seq = (await sealNumbers(archive)).at(-1)
  if (seq === undefined) return { seq: 0, digest: null, coverage: NO_COVERAGE }
  const { signed, digest, coverage } = await readStoredSeal(seq, archive)
  const key = readPublicKey(signed.publicKey)
  if (!key || !isSignedBy(key, signed))
    throw new IngestError('SEAL_INVALID', `${sealKey(seq)}: its signature is not by the key that it names`)
  return { seq, digest, coverage }
}

interface Draft {
  readonly tree: MerkleTree
  readonly coverage: Coverage
}

/** Leaves of the next tree: whole segments, ledger by ledger, as many as it may have. */
async function gather(
  ledgers: readonly MailboxId[],
  from: Coverage,
  broken: Map<MailboxId, IngestError>,
  archive: Archive,
): Promise<Draft> {
  const leaves = Buffer.alloc(SEAL.treeLines * HASH_OCTETS)
  const coverage = new Map(from)
  let count = 0
  const whole = ledgers.filter((mailbox) => !broken.has(mailbox))
  const added = (mailbox: MailboxId): AsyncGenerator<StoredSegment> => addedSince(mailbox, from, archive)
  for await (const [mailbox, segments] of begunAhead(whole, SEAL.ledgersAtOnce, added)) {
    try {
      for await (const { header, content, sha256 } of segments) {
        const hashes = leavesOf(ledgerKey(mailbox, header.seq), content)
        if (count + hashes.length > SEAL.treeLines) return { tree: treeOf(leaves, count), coverage }
        for (const hash of hashes) leaves.set(hash, count++ * HASH_OCTETS)
        coverage.set(mailbox, { seq: header.seq, sha256 })
      }
    } catch (error) {
      // One ledger that was tampered with must not keep the others from being sealed.
      if (!(error instanceof IngestError) || !BROKEN.has(error.code)) throw error
      broken.set(mailbox, error)
    }
  }
  return { tree: treeOf(leaves, count), coverage }
}

async function* addedSince(
  mailbox: MailboxId,
  sealed: Coverage,
  archive: Archive,
): AsyncGenerator<StoredSegment> {
  await assertStillThere(mailbox, sealed, archive)
  yield* segmentsBetween(mailbox, sealed, undefined, archive)
}

/** Of a ledger that ends where it was sealed, nothing else would be looked at. */
async function assertStillThere(mailbox: MailboxId, sealed: Coverage, archive: Archive): Promise<void> {
  const end = sealed.get(mailbox)
  if (!end) return
  const facts = await archive.find(ledgerKey(mailbox, end.seq))
  if (facts?.sha256 !== end.sha256)
    throw new IngestError(
      'LEDGER_CORRUPT',
      `${ledgerKey(mailbox, end.seq)}: sealed with SHA-256 ${end.sha256}; now it ${facts ? `has ${facts.sha256}` : 'is not there'}`,
    )
}

const BROKEN: ReadonlySet<string> = new Set(['LEDGER_CORRUPT', 'ARCHIVE_CONFLICT'])

function treeOf(leaves: Buffer, count: number): MerkleTree {
  return new MerkleTree(leaves.subarray(0, count * HASH_OCTETS))
}

/** A leaf for every line of a segment, its header included. */
export function leavesOf(key: ObjectKey, content: Buffer): Buffer[] {
  return linesOf(content).map((line, index) => lineLeaf(key, index + 1, line))
}

/** Undefined when another run has stored a seal with this number. */
async function store(
  { tree, coverage }: Draft,
  head: Head,
  { archive, signer, authorities, now = () => new Date() }: SealPorts,
  unstamped: IngestError[],
): Promise<{ readonly seal: Seal; readonly head: Head } | undefined> {
  const rows = memoryOctets(encodeCoverage(coverage))
  const seq = head.seq + 1
  const seal: Seal = {
    type: 'seal',
    v: 1,
    seq,
    previous: head.digest,
    sealedAt: now().toISOString(),
    treeSize: tree.size,
    root: tree.root.toString('hex'),
    coverage: rows.sha256,
  }
  const text = Buffer.from(JSON.stringify(seal))
  const [signature, publicKey] = [await signer.sign(text), await signer.publicKey()]
  const signed: SignedSeal = {
    seal: text.toString('utf8'),
    signature: signature.toString('base64'),
    publicKey,
    timestamps: await stamped(text, authorities, unstamped),
  }
  // Before the seal that names it; nobody else's has this digest.
  await put(coverageKey(rows.sha256), rows, seq, archive)
  const stored = await put(
    sealKey(seq),
    memoryOctets(Buffer.from(`${JSON.stringify(signed)}\n`)),
    seq,
    archive,
  )
  if (!stored) return undefined
  return { seal, head: { seq, digest: createHash('sha256').update(text).digest('hex') as Sha256, coverage } }
}

async function stamped(
  text: Buffer,
  authorities: readonly TimestampAuthority[],
  unstamped: IngestError[],
): Promise<SignedSeal['timestamps']> {
  const answers = authorities.map(async (authority) => {
    try {
      return [{ authority: authority.url, response: (await authority.stamp(text)).toString('base64') }]
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      unstamped.push(error)
      return []
    }
  })
  return (await Promise.all(answers)).flat()
}

/** Whether these octets are there now: put by this call, or by an earlier try of it. */
async function put(
  key: ObjectKey,
  octets: ReturnType<typeof memoryOctets>,
  seq: number,
  archive: Archive,
): Promise<boolean> {
  const result = await archive.put(key, octets, {
    contentType: 'application/x-ndjson',
    writtenFor: { seq, drain: 'seal' as DrainId },
  })
  return result.outcome === 'created' || result.facts.sha256 === octets.sha256
}
