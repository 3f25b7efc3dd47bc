import type { Archive } from '../../archive/archive.ts'
import type { MailboxId, ObjectKey, Sha256 } from '../../contract/ids.ts'
import { ledgerKey, rawKey } from '../../contract/object-key.ts'
import { type ChainFault, readChain, type StoredSegment } from '../../ledger/ledger.ts'
import type { Anchor } from '../../ledger/verify.ts'
import type { Recorded } from './inspection.ts'

/** What a ledger says, without what it says of each message. */
export interface LedgerRecord {
  readonly head: { readonly seq: number; readonly sha256: Sha256 } | undefined
  readonly segments: ReadonlyMap<ObjectKey, Recorded>
  /** Entries of messages by the first octet of the digest: how many there can be at most. */
  readonly counts: readonly number[]
}

/** It is told once that it is no segment. */
const UNREADABLE: Recorded = { octets: undefined, sha256: undefined }

/** Reads the whole chain. `fault` and `contradicted` are told what does not hold. */
export async function readRecord(
  mailbox: MailboxId,
  archive: Archive,
  anchors: readonly Anchor[],
  told: {
    fault(fault: ChainFault): void
    contradicted(anchor: Anchor, found: string): void
    segment(count: number): void
  },
): Promise<LedgerRecord> {
  const segments = new Map<ObjectKey, Recorded>()
  const counts = new Array<number>(256).fill(0)
  let head: LedgerRecord['head']
  for await (const { segment, fault } of readChain(mailbox, archive)) {
    if (fault) {
      told.fault(fault)
      if (fault.kind === 'segment-unreadable') segments.set(fault.key, UNREADABLE)
      continue
    }
    const { seq } = segment.header
    head = { seq, sha256: segment.sha256 }
    segments.set(ledgerKey(mailbox, seq), { octets: undefined, sha256: segment.sha256, seq })
    for (const anchor of anchors)
      if (anchor.seq === seq && anchor.sha256 !== segment.sha256)
        told.contradicted(anchor, `segment ${seq} has SHA-256 ${segment.sha256}`)
    for (const { sha256 } of messagesIn(segment)) {
      const first = firstOctet(sha256)
      counts[first] = (counts[first] ?? 0) + 1
    }
    told.segment(segments.size)
  }
  for (const anchor of anchors)
    if (anchor.seq > (head?.seq ?? 0))
      told.contradicted(anchor, `the ledger ends with segment ${head?.seq ?? 0}`)
  return { head, segments, counts }
}

/** Digests whose first octet is from `from` to `to`. */
export interface DigestRange {
  readonly from: number
  readonly to: number
}

/** Splits all digests so that the ledger names at most `most` in one range, as far as first octets can tell them apart. */
export function rangesOf(counts: readonly number[], most: number): DigestRange[] {
  const ranges: DigestRange[] = []
  let from = 0
  let sum = 0
  for (const [octet, count] of counts.entries()) {
    if (octet > from && sum + count > most) {
      ranges.push({ from, to: octet - 1 })
      from = octet
      sum = 0
    }
    sum += count
  }
  return [...ranges, { from, to: counts.length - 1 }]
}

/** What the ledger says of each message in a range, by key. What cannot be read is passed over: it was told before. */
export async function recordedMessages(
  mailbox: MailboxId,
  archive: Archive,
  { from, to }: DigestRange,
): Promise<Map<ObjectKey, Recorded>> {
  const recorded = new Map<ObjectKey, Recorded>()
  const repeated = new Map<ObjectKey, Recorded>()
  const deleted = new Set<ObjectKey>()
  for await (const { segment } of readChain(mailbox, archive)) {
    if (!segment) continue
    for (const entry of segment.entries) {
      if (entry.type !== 'message' && entry.type !== 'delete' && entry.type !== 'deleted') continue
      const first = firstOctet(entry.sha256)
      if (first < from || first > to) continue
      const digest = entry.sha256 as Sha256
      const key = rawKey(mailbox, digest)
      if (entry.type === 'deleted') {
        deleted.add(key)
        recorded.delete(key)
        repeated.delete(key)
        continue
      }
      if (entry.type === 'delete') {
        const known = recorded.get(key)
        if (known) recorded.set(key, { ...known, mayBeGone: true })
        continue
      }
      const { octets, versionId, retainUntil } = entry
      const facts = { octets, sha256: digest, versionId, retainUntil }
      // A duplicate does not say for which segment the object was written, and one of a message that was deleted is not archived.
      if (entry.outcome === 'duplicate') {
        if (!repeated.has(key) && !deleted.has(key)) repeated.set(key, facts)
      } else if (!recorded.has(key))
        recorded.set(key, { ...facts, seq: entry.writtenFor ?? segment.header.seq })
    }
  }
  for (const [key, facts] of repeated) if (!recorded.has(key)) recorded.set(key, facts)
  return recorded
}

function messagesIn({ entries }: StoredSegment) {
  return entries.filter((entry) => entry.type === 'message')
}

function firstOctet(digest: string): number {
  return Number.parseInt(digest.slice(0, 2), 16)
}
