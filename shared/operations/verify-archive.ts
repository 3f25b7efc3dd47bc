import type { KeyObject } from 'node:crypto'
import type { Archive, Retention } from '../archive/archive.ts'
import type { ArchiveAudit } from '../archive/audit.ts'
import type { MailboxId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { ledgerPrefix, rawPrefix } from '../contract/object-key.ts'
import { VERIFY } from '../limits.ts'
import type { StateStore } from '../state/state.ts'
import { type Checkpoint, emptyTally, type Tally } from './verification/checkpoint.ts'
import { anchorsOf, type Evidence, readEvidence } from './verification/evidence.ts'
import type { Finding } from './verification/finding.ts'
import type { Inspector, Recorded } from './verification/inspection.ts'
import { inspectors } from './verification/inspector.ts'
import { type LedgerRecord, rangesOf, readRecord, recordedMessages } from './verification/ledger-record.ts'
import { inspectInSteps } from './verification/steps.ts'
import { evidence, surroundings } from './verification/surroundings.ts'
import { besideEachOther, type Entry, upTo } from './verification/versions.ts'

// Everything that a store has against everything that is recorded: each mailbox's chain, its segments and messages in their recorded
// versions, what lies beside them, and the locks. The whole is read in the order of the keys, so that it can be left and gone on with anywhere.

export interface VerifyPorts {
  readonly archive: Archive
  readonly audit: ArchiveAudit
  readonly state: StateStore | undefined
}

export interface VerifyOptions {
  /** Undefined: every mailbox that the archive has, evidence, and whatever else is in it. */
  readonly mailboxes: readonly MailboxId[] | undefined
  /** How the objects of a mailbox, or evidence, are to be kept; undefined when nothing is configured. */
  readonly policyOf: (mailbox: MailboxId | undefined) => Retention | undefined
  /** Reads and hashes the octets of what is inspected. */
  readonly deep: boolean
  /** The part of the messages that is inspected, above 0 up to 1; all are listed. */
  readonly sample: number
  /** Chooses the sample: the same seed, the same messages. */
  readonly seed: string
  /** The key whose seals count; asked for when there are some. @default the one that each seal brings */
  readonly sealKey?: (() => Promise<KeyObject | undefined>) | undefined
  /** Where an earlier run with the same options has stopped. */
  readonly from?: Checkpoint | undefined
  readonly signal?: AbortSignal | undefined
  /** Records of one mailbox that are in memory at the same time. @default VERIFY.messagesInMemory */
  readonly messagesInMemory?: number | undefined
  readonly now?: Date | undefined
}

export interface VerifyListener {
  found(finding: Finding): void
  verified(mailbox: MailboxVerification): void
  progress(progress: VerifyProgress): void
  /** To be kept: everything told before it is done. */
  checkpoint(checkpoint: Checkpoint): void
}

export interface VerifyProgress {
  /** Undefined: what belongs to no mailbox. */
  readonly mailbox: MailboxId | undefined
  readonly phase: 'ledger' | 'objects'
  /** Segments, or messages and objects. */
  readonly done: number
  /** Messages that the ledger names, a repeated one counted again; undefined while that is unknown. */
  readonly total: number | undefined
}

export interface MailboxVerification extends Tally {
  /** Undefined: what belongs to no mailbox. */
  readonly mailbox: MailboxId | undefined
  readonly segments: number
  readonly head: { readonly seq: number; readonly sha256: Sha256 } | undefined
}

export interface ArchiveVerification {
  readonly mailboxes: number
  readonly findings: number
  /** False when the signal ended it before the end. */
  readonly complete: boolean
  /** Whether there were locks to be looked at. */
  readonly locks: boolean
  /** The seal that the ledgers were compared with; undefined when there was none to rely on. */
  readonly seal?: { readonly seq: number; readonly sealedAt: string }
}

/**
 * Changes nothing. Rejects with ARCHIVE_…: what is wrong with the archive itself is a finding. When single mailboxes are verified also with CASE_CORRUPT,
 * SEAL_INVALID and ARCHIVE_CONFLICT for evidence that they would be compared with.
 */
export async function verifyArchive(
  ports: VerifyPorts,
  options: VerifyOptions,
  listener: VerifyListener,
): Promise<ArchiveVerification> {
  const read = await readEvidence(ports.archive, options.sealKey)
  const [fault] = read.faults
  // A finding of the whole, and nothing that single mailboxes could be compared with.
  if (fault && options.mailboxes) throw fault.error
  return new ArchiveVerifier(ports, options, listener, read).run()
}

class ArchiveVerifier {
  readonly #ports: VerifyPorts
  readonly #options: VerifyOptions
  readonly #listener: VerifyListener
  readonly #evidence: Evidence
  readonly #inspector: ReturnType<typeof inspectors>
  #checkpoint: Checkpoint

  constructor(ports: VerifyPorts, options: VerifyOptions, listener: VerifyListener, read: Evidence) {
    const { from, now = new Date(), seed, sample, deep, mailboxes = null } = options
    this.#ports = ports
    this.#options = options
    this.#listener = listener
    this.#evidence = read
    this.#checkpoint = from ?? {
      v: 1,
      startedAt: now.toISOString(),
      seed,
      sample,
      deep,
      mailboxes,
      findings: 0,
      done: [],
    }
    this.#inspector = inspectors(ports.audit, read, this.#checkpoint, options.policyOf)
  }

  async run(): Promise<ArchiveVerification> {
    const mailboxes = this.#options.mailboxes ?? (await this.#surroundings())
    for (const mailbox of mailboxes) {
      if (this.#checkpoint.done.includes(mailbox)) continue
      if (!(await this.#verify(mailbox))) break
    }
    const { done, findings } = this.#checkpoint
    const { seal } = this.#evidence.sealed
    return {
      mailboxes: done.length,
      findings,
      complete: done.length === mailboxes.length,
      locks: this.#ports.audit.locks,
      ...(seal ? { seal: { seq: seal.seq, sealedAt: seal.sealedAt } } : {}),
    }
  }

  /** Looks at what is outside of mailboxes, and returns the mailboxes: also one that is gone altogether, when it was sealed. */
  async #surroundings(): Promise<readonly MailboxId[]> {
    const { audit } = this.#ports
    const { sealed, faults } = this.#evidence
    const mailboxes = new Set<MailboxId>(sealed.coverage.keys())
    const outside = surroundings(audit, mailboxes)
    if (this.#options.from) {
      // It was looked at before the first checkpoint.
      for await (const _ of outside);
      return [...mailboxes].sort()
    }
    const tally = emptyTally()
    const inspector = { ...this.#inspector(undefined), chosen: () => true }
    await this.#inspect(outside, inspector, tally)
    await this.#inspect(evidence(audit), inspector, tally)
    for (const { finding } of faults) this.#found(finding, tally)
    this.#done(undefined, tally, undefined)
    return [...mailboxes].sort()
  }

  /** False when it was left before its end. */
  async #verify(mailbox: MailboxId): Promise<boolean> {
    const { archive, audit } = this.#ports
    const { current } = this.#checkpoint
    const resumed = current?.mailbox === mailbox ? current : undefined
    const tally = resumed ? structuredClone(resumed.tally) : emptyTally()
    const inspector = this.#inspector(mailbox)
    const record = await this.#readRecord(mailbox, tally, resumed !== undefined)
    if (!resumed)
      await this.#inspect(
        besideEachOther(record.segments, audit.versions(ledgerPrefix(mailbox)), ''),
        { ...inspector, chosen: () => true },
        tally,
      )

    const prefix = rawPrefix(mailbox)
    const total = record.counts.reduce((sum, count) => sum + count, 0)
    const most = this.#options.messagesInMemory ?? VERIFY.messagesInMemory
    for (const range of rangesOf(record.counts, most)) {
      const last = range.to === 255 ? undefined : `${prefix}${hex(range.to + 1)}`
      const first = range.from === 0 ? '' : `${prefix}${hex(range.from)}`
      const after = resumed && resumed.after > first ? resumed.after : first
      if (last !== undefined && after >= last) continue
      const recorded = await recordedMessages(mailbox, archive, range)
      const listed = upTo(audit.versions(prefix, after === '' ? undefined : after), last)
      const ended = await this.#inspect(besideEachOther(recorded, listed, after), inspector, tally, (key) => {
        this.#checkpoint = { ...this.#checkpoint, current: { mailbox, after: key, tally } }
        this.#listener.checkpoint(this.#checkpoint)
        this.#listener.progress({ mailbox, phase: 'objects', done: tally.messages, total })
      })
      if (!ended) return false
    }
    this.#done(mailbox, tally, record)
    return true
  }

  async #readRecord(mailbox: MailboxId, tally: Tally, silent: boolean): Promise<LedgerRecord> {
    const found = (finding: Omit<Finding, 'mailbox' | 'versionId'>): void => {
      // What an earlier run has told of it is in its tally.
      if (!silent) this.#found({ ...finding, mailbox, versionId: undefined }, tally)
    }
    const anchors = await anchorsOf(mailbox, this.#ports, this.#evidence.sealed)
    return readRecord(mailbox, this.#ports.archive, anchors, {
      fault: ({ kind, key, expected, found: what }) => found({ kind, key, expected, found: what }),
      contradicted: ({ seq, sha256, source }, what) =>
        found({
          kind: 'history-rewritten',
          key: source,
          expected: `segment ${seq} with SHA-256 ${sha256}, as noted there`,
          found: what,
        }),
      segment: (done) => {
        if (done % 100 === 0) this.#listener.progress({ mailbox, phase: 'ledger', done, total: undefined })
      },
    })
  }

  /** False when it was left before its end. */
  #inspect(
    entries: AsyncIterable<Entry<Recorded>>,
    inspector: Inspector,
    tally: Tally,
    stepped: (last: ObjectKey) => void = () => {},
  ): Promise<boolean> {
    const found = (finding: Finding): void => this.#found(finding, tally)
    return inspectInSteps(entries, inspector, tally, { found, stepped }, this.#options.signal)
  }

  #found(finding: Finding, tally: Tally): void {
    tally.findings[finding.kind] = (tally.findings[finding.kind] ?? 0) + 1
    this.#listener.found(finding)
  }

  #done(mailbox: MailboxId | undefined, tally: Tally, record: LedgerRecord | undefined): void {
    const { findings, done } = this.#checkpoint
    this.#checkpoint = {
      ...this.#checkpoint,
      findings: findings + Object.values(tally.findings).reduce((sum, count) => sum + count, 0),
      done: mailbox ? [...done, mailbox] : done,
      current: undefined,
    }
    this.#listener.verified({ mailbox, segments: record?.segments.size ?? 0, head: record?.head, ...tally })
    this.#listener.checkpoint(this.#checkpoint)
  }
}

function hex(octet: number): string {
  return octet.toString(16).padStart(2, '0')
}
