import { createHash } from 'node:crypto'
import type { Retention } from '../../archive/archive.ts'
import type { ArchiveAudit, ListedVersion, VersionFacts } from '../../archive/audit.ts'
import { retainUntil } from '../../archive/retain-until.ts'
import type { CaseName, MailboxId, ObjectKey, Sha256 } from '../../contract/ids.ts'
import { VERIFY } from '../../limits.ts'
import type { Lengthened } from '../lengthened.ts'
import type { Finding, FindingKind } from './finding.ts'
import type { Entry } from './versions.ts'

/** What an object has to be. Of what is undefined nothing is recorded. */
export interface Recorded {
  readonly octets: number | undefined
  readonly sha256: Sha256 | undefined
  readonly versionId?: string | undefined
  /** ISO 8601. */
  readonly retainUntil?: string | undefined
  /** The segment that it was written for. */
  readonly seq?: number | undefined
  /** Its deletion is recorded as intended: it may have been carried out. */
  readonly mayBeGone?: boolean | undefined
}

export interface Inspector {
  readonly audit: ArchiveAudit
  readonly mailbox: MailboxId | undefined
  /** What is configured for how long and how the objects are kept. */
  readonly policy: Retention | undefined
  /** Reads and hashes the octets. */
  readonly deep: boolean
  /** Whether this object is looked at beyond the listing. */
  readonly chosen: (key: string) => boolean
  /** What the store locks new objects by today. */
  readonly defaultRetention: () => Promise<Retention | undefined>
  /** What evidence says that the retention of this object was lengthened to. */
  readonly lengthened: (key: ObjectKey) => Lengthened | undefined
  /** The open cases that hold this object. */
  readonly heldFor: (key: ObjectKey) => readonly CaseName[]
  /** Objects that were stored later may be of a drain that has not recorded them yet. ISO 8601. */
  readonly underWaySince: string
}

export interface Inspected {
  readonly findings: readonly Finding[]
  /** Its checksum and lock were looked at. */
  readonly inspected: boolean
  /** Its octets were read. */
  readonly read: boolean
  readonly held: boolean
  /** Not recorded, and younger than a drain may need for it. */
  readonly underWay: boolean
}

/** Compares what is recorded of a key with what the store has. */
export async function inspect(
  { key, recorded, versions }: Entry<Recorded>,
  inspector: Inspector,
): Promise<Inspected> {
  const { audit, mailbox, chosen, underWaySince } = inspector
  const findings: Finding[] = []
  const report = (kind: FindingKind, version: ListedVersion | undefined, expected: string, found: string) => {
    findings.push({ kind, mailbox, key, versionId: version?.versionId, expected, found })
  }
  const stored = versions.filter(({ deleteMarker }) => !deleteMarker)
  for (const marker of versions.filter(({ deleteMarker }) => deleteMarker))
    report('delete-marker', marker, 'no delete marker', `one of ${marker.storedAt}`)

  if (!recorded) {
    const underWay = stored.length > 0 && stored.every(({ storedAt }) => storedAt >= underWaySince)
    if (!underWay)
      for (const version of stored)
        report('unrecorded', version, 'nothing', `${version.octets} octets, stored ${version.storedAt}`)
    return { findings, underWay, ...UNSEEN }
  }

  // Written once: of several versions the oldest is the one that was recorded.
  const version =
    recorded.versionId === undefined
      ? stored.at(-1)
      : stored.find(({ versionId }) => versionId === recorded.versionId)
  for (const other of stored)
    if (other !== version)
      report('extra-version', other, 'one version', `another, ${other.octets} octets of ${other.storedAt}`)
  if (!version) {
    if (stored.length > 0)
      report('version-missing', undefined, `version ${recorded.versionId}`, 'other versions alone')
    else if (!recorded.mayBeGone) report('object-missing', undefined, describe(recorded), 'nothing')
    return { findings, underWay: false, ...UNSEEN }
  }
  if (recorded.octets !== undefined && version.octets !== recorded.octets)
    report('octets-differ', version, `${recorded.octets} octets`, `${version.octets} octets`)
  if (!chosen(key)) return { findings, underWay: false, ...UNSEEN }

  const facts = await audit.inspect(version)
  if (!facts) {
    report('object-missing', version, describe(recorded), 'nothing any more')
    return { findings, underWay: false, ...UNSEEN }
  }
  if (recorded.sha256 !== undefined && facts.sha256 !== recorded.sha256)
    report(
      'checksum-differs',
      version,
      `SHA-256 ${recorded.sha256}`,
      `SHA-256 ${facts.sha256 ?? 'not stored'}`,
    )
  const seq = facts.writtenFor?.seq ?? 0
  if (recorded.seq !== undefined && seq !== recorded.seq)
    report('segment-differs', version, `written for segment ${seq}, as it says`, `named by ${recorded.seq}`)
  if (audit.locks) {
    for (const [kind, expected, found] of lockFaults(facts, promisesOf(version, recorded, inspector)))
      report(kind, version, expected, kind === 'not-locked' ? await withoutLock(inspector) : found)
  }
  const cases = inspector.heldFor(key)
  if (cases.length > 0 && !facts.legalHold)
    report('hold-missing', version, `a legal hold, for ${cases.join(', ')}`, 'none')
  const reading = inspector.deep && recorded.sha256 !== undefined
  if (reading) {
    const digest = await hashOf(version, audit)
    if (digest !== recorded.sha256)
      report('content-differs', version, `SHA-256 ${recorded.sha256}`, `SHA-256 ${digest}`)
  }
  return { findings, inspected: true, read: reading, held: facts.legalHold, underWay: false }
}

const UNSEEN = { inspected: false, read: false, held: false } as const

function describe({ octets, sha256 }: Recorded): string {
  return octets === undefined ? 'an object' : `${octets} octets with SHA-256 ${sha256 ?? 'unknown'}`
}

/** S3 puts the default on each object when it is stored, and on none that was there before; there are stores that hold to it and do not tell it of an object. */
async function withoutLock({ defaultRetention }: Inspector): Promise<string> {
  const known = await defaultRetention()
  if (!known) return 'no retention'
  const { mode, days } = known
  return `no retention; today's default of the bucket is ${mode} for ${days} days, and either the object is older than it or the store does not tell it`
}

interface Promises {
  readonly policy: Retention | undefined
  /** By the policy. ISO 8601, as the others. */
  readonly due: string | undefined
  /** By the ledger. */
  readonly promised: string | undefined
  readonly lengthened: Lengthened | undefined
}

function promisesOf(
  { key, storedAt, versionId }: ListedVersion,
  { retainUntil: promised }: Recorded,
  { policy, lengthened }: Inspector,
): Promises {
  const longer = lengthened(key)
  return {
    policy,
    promised,
    due: policy && retainUntil(Date.parse(storedAt), policy).toISOString(),
    // Not that of a version which was deleted, and archived anew.
    lengthened: longer?.versionId === versionId ? longer : undefined,
  }
}

function lockFaults(
  { lockMode, retainUntil: until }: VersionFacts,
  { policy, due, promised, lengthened }: Promises,
): (readonly [kind: FindingKind, expected: string, found: string])[] {
  if (until === undefined) {
    const wanted = lengthened?.until ?? promised ?? due
    return wanted === undefined ? [] : [['not-locked', `kept until ${wanted}`, 'no retention']]
  }
  const faults: (readonly [FindingKind, string, string])[] = []
  if (policy?.mode === 'compliance' && lockMode !== 'compliance')
    faults.push(['lock-mode', 'compliance', lockMode ?? 'none'])
  if (promised !== undefined && isBefore(until, promised))
    faults.push(['retention-shortened', `kept until ${promised}, as recorded`, `until ${until}`])
  if (lengthened && isBefore(until, lengthened.until))
    faults.push([
      'retention-shortened',
      `kept until ${lengthened.until}, as lengthened by ${lengthened.source}`,
      `until ${until}`,
    ])
  if (due !== undefined && isBefore(until, due))
    faults.push(['retention-below-policy', `kept until ${due}, as configured`, `until ${until}`])
  return faults
}

/** By more than clocks differ. */
function isBefore(a: string, b: string): boolean {
  return Date.parse(a) < Date.parse(b) - VERIFY.clockSkewMs
}

async function hashOf(version: ListedVersion, audit: ArchiveAudit): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of (await audit.open(version)) as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}
