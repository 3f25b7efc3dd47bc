import type { KeyObject } from 'node:crypto'
import type { Archive } from '../../archive/archive.ts'
import { readHeldMessages } from '../../cases/held-messages.ts'
import type { CaseName, MailboxId, ObjectKey } from '../../contract/ids.ts'
import { CASES_PREFIX, sealKey, snapshotKey } from '../../contract/object-key.ts'
import { IngestError } from '../../errors.ts'
import { readNotes } from '../../ledger/ledger.ts'
import type { Anchor } from '../../ledger/verify.ts'
import { readSealedLedgers, type SealedLedgers } from '../../seal/sealed-ledgers.ts'
import type { StateStore } from '../../state/state.ts'
import { type Lengthened, readLengthened } from '../lengthened.ts'
import { latestCertificate } from '../reconciliation/stored-certificate.ts'
import type { Finding } from './finding.ts'

/** What is recorded outside of the ledgers that they and the objects have to fit. */
export interface Evidence {
  /** The open cases that hold a message, by `<mailbox>/<sha256>`. */
  readonly held: ReadonlyMap<string, readonly CaseName[]>
  readonly lengthened: ReadonlyMap<ObjectKey, Lengthened>
  readonly sealed: SealedLedgers
  /** Evidence that cannot be compared with. */
  readonly faults: readonly { readonly finding: Finding; readonly error: IngestError }[]
}

/** Rejects with ARCHIVE_…: what is wrong with the evidence is a fault. */
export async function readEvidence(
  archive: Archive,
  sealKeyOf: (() => Promise<KeyObject | undefined>) | undefined,
): Promise<Evidence> {
  const faults: Evidence['faults'][number][] = []
  const fault = (kind: Finding['kind'], key: ObjectKey, expected: string, error: IngestError): void => {
    const finding = { kind, mailbox: undefined, key, versionId: undefined, expected, found: error.message }
    faults.push({ finding, error })
  }
  let held: Evidence['held'] = new Map()
  try {
    held = await readHeldMessages(archive)
  } catch (error) {
    if (!(error instanceof IngestError) || error.code !== 'CASE_CORRUPT') throw error
    fault('case-corrupt', CASES_PREFIX as ObjectKey, 'cases whose steps follow each other', error)
  }
  const { lengthened, unreadable } = await readLengthened(archive)
  for (const { key, error } of unreadable)
    fault('evidence-unreadable', key, 'messages whose retention was lengthened', error)
  const sealed = await readSealedLedgers(archive, sealKeyOf)
  for (const { key, what } of sealed.faults)
    fault(
      'seal-invalid',
      key,
      'seals that follow each other, each signed',
      new IngestError('SEAL_INVALID', what),
    )
  return { held, lengthened, sealed, faults }
}

/** Where the ledger's state is noted outside of the ledger: whoever rewrites it consistently has to have changed these too. */
export async function anchorsOf(
  mailbox: MailboxId,
  { archive, state }: { readonly archive: Archive; readonly state: StateStore | undefined },
  sealed: SealedLedgers,
): Promise<Anchor[]> {
  const notes = state && (await readNotes(mailbox, state))
  const certificate = await latestCertificate(mailbox, archive)
  const anchor = sealedAnchor(mailbox, sealed)
  return [
    ...(notes ? [{ seq: notes.seq, sha256: notes.sha256, source: snapshotKey(mailbox) }] : []),
    ...(certificate?.ledger ? [{ ...certificate.ledger, source: certificate.key }] : []),
    ...(anchor ? [anchor] : []),
  ]
}

/** Undefined for a ledger that is not sealed. */
export function sealedAnchor(mailbox: MailboxId, { seal, coverage }: SealedLedgers): Anchor | undefined {
  const end = coverage.get(mailbox)
  return seal && end && { ...end, source: sealKey(seal.seq) }
}
