import type { Archive } from '../archive/archive.ts'
import { archivedEventId } from '../contract/event.ts'
import type { MailboxId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { parseRawKey, rawKey, rawPrefix } from '../contract/object-key.ts'
import { readChain } from './ledger.ts'

export interface Verification {
  readonly mailbox: MailboxId
  readonly segments: number
  /** SHA-256 of the last segment: it stands for the whole ledger. */
  readonly head: Sha256 | undefined
  /** Messages that the ledger names, each once. */
  readonly messages: number
  readonly octets: number
  /** Of them, not announced yet. */
  readonly pending: number
  /** What is wrong; empty when everything is as recorded. */
  readonly problems: readonly Problem[]
  /**
   * Objects that no segment names: a drain that died, or is at work now, archived them. The next drain announces and records them if the
   * server still has them.
   */
  readonly unrecorded: readonly ObjectKey[]
}

/** A ledger's state that somebody noted elsewhere: a snapshot of the fold, a certificate, a seal. */
export interface Anchor {
  readonly seq: number
  readonly sha256: Sha256
  /** Key of where it was noted. */
  readonly source: ObjectKey
}

export interface Problem {
  /** `history-rewritten`: the chain may hold, and is not the one that was noted. */
  readonly kind: 'chain' | 'history-rewritten' | 'object-missing' | 'octets-differ'
  /** Key of the segment or object. */
  readonly key: ObjectKey
  readonly reason: string
}

/**
 * Compares the ledger with the archive: every segment follows the one before, and every object it names is there with the octets it had.
 * Contents are not read: the store checked the SHA-256 when it took them. `sealed`: what the ledger has to have. Rejects with ARCHIVE_… codes alone.
 */
export async function verifyLedger(
  mailbox: MailboxId,
  archive: Archive,
  progress: (segments: number) => void = () => {},
  sealed?: Anchor,
): Promise<Verification> {
  const named = new Map<Sha256, number>()
  const pending = new Set<string>()
  /** From the intent on a message may be gone. */
  const deleting = new Set<Sha256>()
  const problems: Problem[] = []
  let segments = 0
  let head: Sha256 | undefined
  let last = 0
  const contradicted = ({ seq, sha256, source }: Anchor, found: string): void => {
    const reason = `expected segment ${seq} with SHA-256 ${sha256}, as noted there; ${found}`
    problems.push({ kind: 'history-rewritten', key: source, reason })
  }
  for await (const { segment, fault } of readChain(mailbox, archive)) {
    if (fault) {
      problems.push({ kind: 'chain', key: fault.key, reason: fault.error.message })
      continue
    }
    segments++
    head = segment.sha256
    last = segment.header.seq
    if (sealed?.seq === last && sealed.sha256 !== head) contradicted(sealed, `it has SHA-256 ${head}`)
    progress(segments)
    for (const entry of segment.entries) {
      if (entry.type === 'announced') pending.delete(entry.event)
      if (entry.type === 'delete') deleting.add(entry.sha256 as Sha256)
      if (entry.type === 'deleted') named.delete(entry.sha256 as Sha256)
      if (entry.type !== 'message') continue
      named.set(entry.sha256 as Sha256, entry.octets)
      const event = archivedEventId(mailbox, entry.sha256 as Sha256)
      if (entry.outcome === 'pending') pending.add(event)
      else if (entry.outcome === 'announced') pending.delete(event)
    }
  }
  if (sealed && sealed.seq > last) contradicted(sealed, `the ledger ends with segment ${last}`)

  const missing = new Map(named)
  const unrecorded: ObjectKey[] = []
  for await (const { key, octets } of archive.list(rawPrefix(mailbox))) {
    const digest = parseRawKey(key)?.sha256
    const recorded = digest && named.get(digest)
    if (digest === undefined || recorded === undefined) unrecorded.push(key)
    else {
      missing.delete(digest)
      if (recorded !== octets)
        problems.push({ kind: 'octets-differ', key, reason: `${octets} octets; the ledger has ${recorded}` })
    }
  }
  for (const [digest, octets] of missing) {
    if (deleting.has(digest)) continue
    problems.push({
      kind: 'object-missing',
      key: rawKey(mailbox, digest),
      reason: `the ledger names it with ${octets} octets, and the archive does not have it`,
    })
  }
  const octets = [...named.values()].reduce((sum, each) => sum + each, 0)
  return {
    mailbox,
    segments,
    head,
    messages: named.size,
    octets,
    pending: pending.size,
    problems,
    unrecorded,
  }
}
