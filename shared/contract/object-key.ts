import { type CaseName, type MailboxId, mailboxId, type ObjectKey, type Sha256, sha256 } from './ids.ts'

// Keys are built and parsed here and nowhere else.
//
//   archive bucket   raw/<mailboxId>/<aa>/<sha256>.eml       the octets of a message; <aa> = first two hex digits,
//                                                            so that a listing can be split among 256 readers
//                    ledger/<mailboxId>/<seq>.ndjson         segment <seq>, ten digits, so that listing order is ledger order
//                    evidence/cases/<case>/<seq>.ndjson      step <seq> of a case, in the same way
//                    evidence/retention/<id>.ndjson          what was kept longer, and by whose order
//                    evidence/seals/<seq>.ndjson             seal <seq> over all ledgers, ten digits
//                    evidence/coverage/<sha256>.ndjson       the segments up to which ledgers are sealed, by its own digest
//                    evidence/certificates/<mailboxId>/<time>.ndjson  what server and archive had at a time, and every difference
//                    evidence/authentication/<mailboxId>/<aa>/<sha256>.ndjson  what DKIM, SPF, DMARC and ARC gave for a message, and DNS said
//   state bucket     snapshots/<mailboxId>.json              the fold of the ledger, a cache
//                    holds/<mailboxId>.json                  how far new mail was compared with the cases, a cache
//                    authentication/<mailboxId>.json         how far new mail was verified on this machine, a cache
//                    suspensions/<mailboxId>.json            a mailbox whose log-ins failed, and when the next one may be tried
//                    mailboxes.json                          the mailbox list that the Lambdas read
//   derived bucket   attachments/<mailboxId>/<aa>/<sha256>   the decoded octets of an attachment
//                    metadata/<mailboxId>/<aa>/<sha256>.json what an event was cut from; the digest is of this object
//                    searches/                               answers of Athena, by names of its own

const RAW = /^raw\/([a-z0-9][a-z0-9-]{0,62})\/([0-9a-f]{2})\/([0-9a-f]{64})\.eml$/
const CASE_STEP = /^evidence\/cases\/([a-z0-9][a-z0-9-]{0,62})\/(\d{10})\.ndjson$/
const LEDGER = /^ledger\/([a-z0-9][a-z0-9-]{0,62})\/(\d{10})\.ndjson$/

/** The most segments one mailbox can have: ten digits in the key. */
export const MAX_SEQ = 9_999_999_999

export const MAILBOXES_KEY: ObjectKey = 'mailboxes.json' as ObjectKey

export function rawKey(mailbox: MailboxId, digest: Sha256): ObjectKey {
  return `raw/${mailbox}/${digest.slice(0, 2)}/${digest}.eml` as ObjectKey
}

export function rawPrefix(mailbox: MailboxId): string {
  return `raw/${mailbox}/`
}

/** Undefined for a key that is not of a raw message, a digest in the wrong folder included. */
export function parseRawKey(key: string): { mailbox: MailboxId; sha256: Sha256 } | undefined {
  const [, mailbox, folder, digest] = RAW.exec(key) ?? []
  if (!mailbox || !digest || digest.slice(0, 2) !== folder) return undefined
  return { mailbox: mailboxId(mailbox), sha256: sha256(digest) }
}

export function ledgerKey(mailbox: MailboxId, seq: number): ObjectKey {
  if (!Number.isInteger(seq) || seq < 1 || seq > MAX_SEQ) throw new RangeError(`not a segment number: ${seq}`)
  return `ledger/${mailbox}/${String(seq).padStart(10, '0')}.ndjson` as ObjectKey
}

export function ledgerPrefix(mailbox: MailboxId): string {
  return `ledger/${mailbox}/`
}

/** Of the ledgers of all mailboxes. */
export const LEDGERS_PREFIX = 'ledger/'

/** Undefined for a key that is not of a ledger segment; the first one has number 1. */
export function parseLedgerKey(key: string): { mailbox: MailboxId; seq: number } | undefined {
  const [, mailbox, seq] = LEDGER.exec(key) ?? []
  if (!mailbox || !Number(seq)) return undefined
  return { mailbox: mailboxId(mailbox), seq: Number(seq) }
}

export const CASES_PREFIX = 'evidence/cases/'

export function caseStepKey(name: CaseName, seq: number): ObjectKey {
  if (!Number.isInteger(seq) || seq < 1 || seq > MAX_SEQ) throw new RangeError(`not a step number: ${seq}`)
  return `${casePrefix(name)}${String(seq).padStart(10, '0')}.ndjson` as ObjectKey
}

export function casePrefix(name: CaseName): string {
  return `${CASES_PREFIX}${name}/`
}

/** Undefined for a key that is not of a step of a case; the first one has number 1. */
export function parseCaseStepKey(key: string): { name: CaseName; seq: number } | undefined {
  const [, name, seq] = CASE_STEP.exec(key) ?? []
  return name && Number(seq) ? { name: name as CaseName, seq: Number(seq) } : undefined
}

export const RETENTION_PREFIX = 'evidence/retention/'

export function retentionKey(id: string): ObjectKey {
  return `${RETENTION_PREFIX}${id}.ndjson` as ObjectKey
}

/** How far new mail of a mailbox was compared with the open cases. */
export function holdCursorKey(mailbox: MailboxId): ObjectKey {
  return `holds/${mailbox}.json` as ObjectKey
}

/** How far new mail of a mailbox was verified. */
export function authenticationCursorKey(mailbox: MailboxId): ObjectKey {
  return `authentication/${mailbox}.json` as ObjectKey
}

export const EVIDENCE_PREFIX = 'evidence/'

/** What was found of one message, by its digest. */
export function authenticationKey(mailbox: MailboxId, digest: Sha256): ObjectKey {
  return `evidence/authentication/${mailbox}/${digest.slice(0, 2)}/${digest}.ndjson` as ObjectKey
}

export function certificatesPrefix(mailbox: MailboxId): string {
  return `evidence/certificates/${mailbox}/`
}

/** Keys of later certificates sort later. */
export function certificateKey(mailbox: MailboxId, at: Date): ObjectKey {
  return `${certificatesPrefix(mailbox)}${at.toISOString().replace(/[-:.]/g, '')}.ndjson` as ObjectKey
}

/** The mailbox under whose prefix a key is, legal or not. */
export function mailboxOfKey(key: string): MailboxId | undefined {
  const [, mailbox] = /^(?:raw|ledger)\/([a-z0-9][a-z0-9-]{0,62})\//.exec(key) ?? []
  return mailbox === undefined ? undefined : mailboxId(mailbox)
}

export const SEALS_PREFIX = 'evidence/seals/'

export function sealKey(seq: number): ObjectKey {
  if (!Number.isInteger(seq) || seq < 1 || seq > MAX_SEQ) throw new RangeError(`not a seal number: ${seq}`)
  return `${SEALS_PREFIX}${String(seq).padStart(10, '0')}.ndjson` as ObjectKey
}

/** Undefined for a key that is not of a seal; the first one has number 1. */
export function parseSealKey(key: string): { seq: number } | undefined {
  const seq = Number(/^evidence\/seals\/(\d{10})\.ndjson$/.exec(key)?.[1])
  return seq ? { seq } : undefined
}

export function coverageKey(digest: Sha256): ObjectKey {
  return `evidence/coverage/${digest}.ndjson` as ObjectKey
}

export function snapshotKey(mailbox: MailboxId): ObjectKey {
  return `snapshots/${mailbox}.json` as ObjectKey
}

export function suspensionKey(mailbox: MailboxId): ObjectKey {
  return `suspensions/${mailbox}.json` as ObjectKey
}

export function attachmentKey(mailbox: MailboxId, digest: Sha256): ObjectKey {
  return `attachments/${mailbox}/${digest.slice(0, 2)}/${digest}` as ObjectKey
}

export function metadataKey(mailbox: MailboxId, digest: Sha256): ObjectKey {
  return `metadata/${mailbox}/${digest.slice(0, 2)}/${digest}.json` as ObjectKey
}

/** In the derived bucket: what Athena answered. */
export const SEARCHES_PREFIX = 'searches/'
