import { createHash } from 'node:crypto'
import type { Archive, Retention } from '../archive/archive.ts'
import { readWhole } from '../archive/read-whole.ts'
import type { DrainId, MailboxId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { ledgerKey, ledgerPrefix, parseLedgerKey, snapshotKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { LEDGER } from '../limits.ts'
import { memoryOctets } from '../octets.ts'
import type { Revision, StateStore } from '../state/state.ts'
import { Fold, type FoldJson } from './fold.ts'
import { decodeSegment, type Entry, encodeSegment, type LedgerServer, type Segment } from './segment.ts'

// The ledger of one mailbox: segments 1, 2, 3 … in the archive, each with the SHA-256 of the one before. The cursor is their fold;
// a snapshot of it in the state store is believed only when the archive holds the segment that it was taken after.

/** What a drain hands over to be committed; number, chain and mailbox are the ledger's. */
export interface SegmentDraft {
  readonly drain: DrainId
  readonly startedAt: Date
  readonly closedAt: Date
  readonly octetsFetched: number
  readonly server: LedgerServer | undefined
  readonly afterArchive: unknown
  readonly entries: readonly Entry[]
}

/** A segment with its octets as stored, and their digest, which the next one has to name. */
export interface StoredSegment extends Segment {
  readonly content: Buffer
  readonly sha256: Sha256
}

/**
 * By folder, what the latest drain that came to its end saw: IMAP's UIDNEXT, and the day (UTC) on which; `rules` is the digest of the settings
 * under which. For the probe; not of the ledger, kept with the snapshot alone.
 */
export type SeenFolders = Readonly<
  Record<
    string,
    { readonly epoch: string; readonly uidNext: number; readonly day: number; readonly rules?: string }
  >
>

export interface LedgerStores {
  readonly archive: Archive
  /** Undefined: every opening folds the whole ledger. */
  readonly state: StateStore | undefined
}

interface Snapshot {
  readonly v: 1
  readonly seq: number
  readonly sha256: Sha256
  readonly fold: FoldJson
  readonly seen: SeenFolders
}

/**
 * Reads the ledger to its end. Rejects with LEDGER_CORRUPT when a segment is missing, unreadable or breaks the chain, and with
 * ARCHIVE_… codes. An unusable snapshot is passed over; after a good one the ledger is listed when its next segment is there, for a segment is
 * written only after the one before, and to look for one key costs a twelfth of a list.
 */
export async function openLedger(mailbox: MailboxId, stores: LedgerStores): Promise<Ledger> {
  const { snapshot, revision, grown } = await readSnapshot(mailbox, stores)
  const fold = snapshot ? Fold.fromJSON(mailbox, snapshot.fold) : new Fold(mailbox)
  let head = snapshot ? { seq: snapshot.seq, sha256: snapshot.sha256 } : undefined
  if (grown)
    for await (const segment of readSegments(mailbox, stores.archive, head)) {
      fold.apply(segment)
      head = { seq: segment.header.seq, sha256: segment.sha256 }
    }
  return new Ledger(mailbox, stores, fold, head, snapshot?.seen ?? {}, {
    revision,
    seq: snapshot?.seq ?? 0,
  })
}

export class Ledger {
  readonly mailbox: MailboxId
  readonly fold: Fold
  readonly seen: SeenFolders
  readonly #stores: LedgerStores
  /** Digests that a segment names, by its number; the least recently used first. */
  readonly #named = new Map<number, ReadonlySet<string>>()
  readonly #snapshot: { readonly revision: Revision | undefined; readonly seq: number }
  #head: { readonly seq: number; readonly sha256: Sha256 } | undefined

  constructor(
    mailbox: MailboxId,
    stores: LedgerStores,
    fold: Fold,
    head: { readonly seq: number; readonly sha256: Sha256 } | undefined,
    seen: SeenFolders,
    snapshot: { readonly revision: Revision | undefined; readonly seq: number },
  ) {
    this.mailbox = mailbox
    this.fold = fold
    this.seen = seen
    this.#stores = stores
    this.#head = head
    this.#snapshot = snapshot
  }

  /** The number of the segment that is committed next. */
  get nextSeq(): number {
    return (this.#head?.seq ?? 0) + 1
  }

  /**
   * Writes the next segment: the commit point of everything in it. Rejects with LEDGER_RACE_LOST when another drain was faster,
   * and then nothing of the draft counts. When the answer to our own write got lost the stored octets equal ours: success.
   */
  async commit(draft: SegmentDraft, retention: Retention | undefined): Promise<void> {
    const seq = this.nextSeq
    const segment: Segment = {
      header: {
        type: 'segment',
        v: 1,
        mailbox: this.mailbox,
        seq,
        previous: this.#head?.sha256 ?? null,
        drain: draft.drain,
        startedAt: draft.startedAt.toISOString(),
        closedAt: draft.closedAt.toISOString(),
        entries: draft.entries.length,
        octetsFetched: draft.octetsFetched,
        server: draft.server,
        afterArchive: draft.afterArchive,
      },
      entries: draft.entries,
    }
    const octets = memoryOctets(encodeSegment(segment))
    const put = await this.#stores.archive.put(ledgerKey(this.mailbox, seq), octets, {
      contentType: 'application/x-ndjson',
      writtenFor: { seq, drain: draft.drain },
      retention,
    })
    if (put.outcome === 'exists' && put.facts.sha256 !== octets.sha256)
      throw new IngestError(
        'LEDGER_RACE_LOST',
        `${this.mailbox}: another drain has written segment ${seq} of the ledger`,
      )
    this.#head = { seq, sha256: octets.sha256 }
    this.#remember(seq, segment.entries)
    this.fold.apply(segment)
  }

  /** Whether segment `seq` is committed and names an object with these octets. Rejects as `get` does. */
  async names(seq: number, digest: Sha256): Promise<boolean> {
    if (seq < 1 || seq >= this.nextSeq) return false
    const known = this.#named.get(seq)
    if (known) {
      this.#named.delete(seq)
      this.#named.set(seq, known)
      return known.has(digest)
    }
    const { entries } = await readSegment(this.mailbox, this.#stores.archive, seq)
    return this.#remember(seq, entries).has(digest)
  }

  /**
   * Keeps the fold for the next opening. What it loses when it fails is a re-read, so a faster writer is left in peace;
   * only the store's own errors (ARCHIVE_…) are rejected.
   */
  async saveSnapshot(seen: SeenFolders): Promise<void> {
    const { state } = this.#stores
    const unchanged =
      this.#head?.seq === this.#snapshot.seq && JSON.stringify(seen) === JSON.stringify(this.seen)
    if (!state || !this.#head || unchanged) return
    const snapshot: Snapshot = { v: 1, ...this.#head, fold: this.fold.toJSON(), seen }
    await state.write(
      snapshotKey(this.mailbox),
      Buffer.from(JSON.stringify(snapshot)),
      this.#snapshot.revision,
    )
  }

  #remember(seq: number, entries: readonly Entry[]): ReadonlySet<string> {
    const named = new Set<string>()
    for (const entry of entries) if (entry.type === 'message') named.add(entry.sha256)
    this.#named.set(seq, named)
    if (this.#named.size > LEDGER.segmentsRemembered)
      for (const oldest of this.#named.keys()) {
        this.#named.delete(oldest)
        break
      }
    return named
  }
}

/** A place where the chain does not hold. */
export interface ChainFault {
  /** `segment-missing`: its number is left out. `segment-unreadable`: it is no segment. `chain-broken`: it follows another one than the one before it. */
  readonly kind: 'segment-missing' | 'segment-unreadable' | 'chain-broken'
  readonly key: ObjectKey
  readonly expected: string
  readonly found: string
  readonly error: IngestError
}

export type Link =
  | { readonly segment: StoredSegment; readonly fault: undefined }
  | { readonly segment: undefined; readonly fault: ChainFault }

/**
 * Every segment after `after` in order, the chain checked. Rejects with LEDGER_CORRUPT at the first that is missing, unreadable
 * or does not name its predecessor.
 */
export async function* readSegments(
  mailbox: MailboxId,
  archive: Archive,
  after?: { readonly seq: number; readonly sha256: Sha256 },
): AsyncGenerator<StoredSegment> {
  for await (const { segment, fault } of readChain(mailbox, archive, after)) {
    if (fault) throw fault.error
    yield segment
  }
}

/** Every segment that can be read, in order, and before it what is wrong with it or with those that are left out. Rejects with ARCHIVE_… codes. */
export async function* readChain(
  mailbox: MailboxId,
  archive: Archive,
  after?: { readonly seq: number; readonly sha256: Sha256 },
): AsyncGenerator<Link> {
  /** Of the segment before; undefined after one that could not be read, for nothing can be compared then. */
  let previous: Sha256 | null | undefined = after?.sha256 ?? null
  for await (const link of readAhead(mailbox, archive, after?.seq ?? 0)) {
    const { segment } = link
    if (segment && previous !== undefined && segment.header.previous !== previous)
      yield faultOf(
        'chain-broken',
        ledgerKey(mailbox, segment.header.seq),
        `a segment that follows ${previous ?? 'nothing'}`,
        `one that follows ${segment.header.previous ?? 'nothing'}`,
      )
    previous = segment?.sha256
    yield link
  }
}

/** Segments are small and far away: several are read at once. */
async function* readAhead(mailbox: MailboxId, archive: Archive, after: number): AsyncGenerator<Link> {
  const reading: Promise<Link>[] = []
  try {
    let expected = after + 1
    const start = after > 0 ? ledgerKey(mailbox, after) : undefined
    for await (const { key } of archive.list(ledgerPrefix(mailbox), start)) {
      const seq = parseLedgerKey(key)?.seq
      if (seq === undefined) continue
      if (seq !== expected)
        reading.push(
          Promise.resolve(
            faultOf(
              'segment-missing',
              ledgerKey(mailbox, expected),
              'a segment',
              `none, yet ${key} is there`,
            ),
          ),
        )
      expected = seq + 1
      const link = readLink(mailbox, archive, seq)
      // Its failure is met when its turn comes.
      link.catch(() => undefined)
      reading.push(link)
      while (reading.length >= LEDGER.segmentsReadAhead) yield await (reading.shift() as Promise<Link>)
    }
    while (reading.length > 0) yield await (reading.shift() as Promise<Link>)
  } finally {
    // A reader that stopped early leaves no request behind.
    await Promise.allSettled(reading)
  }
}

/** What is wrong with the ledger itself, not with the way to it. */
const BROKEN: ReadonlySet<string> = new Set(['LEDGER_CORRUPT', 'ARCHIVE_CONFLICT'])

async function readLink(mailbox: MailboxId, archive: Archive, seq: number): Promise<Link> {
  try {
    return { segment: await readSegment(mailbox, archive, seq), fault: undefined }
  } catch (error) {
    if (!(error instanceof IngestError) || !BROKEN.has(error.code)) throw error
    const { fault } = faultOf('segment-unreadable', ledgerKey(mailbox, seq), 'a segment', error.message)
    return { segment: undefined, fault: { ...fault, error } }
  }
}

function faultOf(
  kind: ChainFault['kind'],
  key: ObjectKey,
  expected: string,
  found: string,
): Extract<Link, { segment: undefined }> {
  const error = new IngestError('LEDGER_CORRUPT', `${key}: expected ${expected}, found ${found}`)
  return { segment: undefined, fault: { kind, key, expected, found, error } }
}

/** Rejects with ARCHIVE_CONFLICT when it is not there, LEDGER_CORRUPT when it is not a segment of this mailbox and number. */
export async function readSegment(mailbox: MailboxId, archive: Archive, seq: number): Promise<StoredSegment> {
  const key = ledgerKey(mailbox, seq)
  const content = await readWhole(
    archive,
    key,
    LEDGER.segmentOctets,
    (octets) =>
      new IngestError('LEDGER_CORRUPT', `${key}: ${octets} octets are more than a segment can have`),
  )
  const segment = decodeSegment(content, key)
  if (segment.header.seq !== seq || segment.header.mailbox !== mailbox)
    throw new IngestError(
      'LEDGER_CORRUPT',
      `${key}: it says that it is segment ${segment.header.seq} of ${segment.header.mailbox}`,
    )
  return { ...segment, content, sha256: createHash('sha256').update(content).digest('hex') as Sha256 }
}

/** `grown`: the ledger may have segments that the snapshot does not know. */
async function readSnapshot(
  mailbox: MailboxId,
  { archive, state }: LedgerStores,
): Promise<{ snapshot: Snapshot | undefined; revision: Revision | undefined; grown: boolean }> {
  const entry = await state?.read(snapshotKey(mailbox))
  const snapshot = entry && parseSnapshot(entry.content)
  const revision = entry?.revision
  if (!snapshot) return { snapshot, revision, grown: true }
  const [last, next] = await Promise.all([
    archive.find(ledgerKey(mailbox, snapshot.seq)),
    archive.find(ledgerKey(mailbox, snapshot.seq + 1)),
  ])
  // A snapshot of another bucket, or of a ledger that was lost, must not hide mail.
  if (last?.sha256 !== snapshot.sha256) return { snapshot: undefined, revision, grown: true }
  return { snapshot, revision, grown: next !== undefined }
}

/** What was noted beside the ledger when a drain ended; undefined when there is no snapshot. A cache: it may be old, and is compared with nothing. */
export async function readNotes(
  mailbox: MailboxId,
  state: StateStore,
): Promise<Pick<Snapshot, 'seq' | 'sha256' | 'seen'> | undefined> {
  const entry = await state.read(snapshotKey(mailbox))
  return entry && parseSnapshot(entry.content)
}

function parseSnapshot(content: Buffer): Snapshot | undefined {
  try {
    const value = JSON.parse(content.toString('utf8')) as Partial<Snapshot> | null
    return value?.v === 1 && value.fold && value.seq && value.seen ? (value as Snapshot) : undefined
  } catch {
    // Half written or of another program: a cache, so it is made anew.
    return undefined
  }
}
