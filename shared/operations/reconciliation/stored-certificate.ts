import { randomUUID } from 'node:crypto'
import type { Archive, Retention } from '../../archive/archive.ts'
import { readWhole } from '../../archive/read-whole.ts'
import type { DrainId, MailboxId, ObjectKey } from '../../contract/ids.ts'
import { certificateKey, certificatesPrefix } from '../../contract/object-key.ts'
import { IngestError } from '../../errors.ts'
import { VERIFY } from '../../limits.ts'
import { memoryOctets } from '../../octets.ts'
import type { Certificate } from './certificate.ts'

// Certificates as evidence: one JSON line in an object of its own, under lock.

/** Rejects with ARCHIVE_…; ARCHIVE_CONFLICT when another one has been stored for the same millisecond. */
export async function storeCertificate(
  certificate: Certificate,
  archive: Archive,
  retention: Retention | undefined,
): Promise<ObjectKey> {
  const key = certificateKey(certificate.mailbox, new Date(certificate.at))
  const put = await archive.put(key, memoryOctets(Buffer.from(`${JSON.stringify(certificate)}\n`)), {
    contentType: 'application/x-ndjson',
    writtenFor: { seq: certificate.ledger?.seq ?? 0, drain: randomUUID() as DrainId },
    retention,
  })
  if (put.outcome === 'exists')
    throw new IngestError('ARCHIVE_CONFLICT', `${key}: there is a certificate of that time already`)
  return key
}

/** What the last certificate of a mailbox says of its ledger; undefined when there is none, or when it is no certificate. */
export async function latestCertificate(
  mailbox: MailboxId,
  archive: Archive,
): Promise<(Pick<Certificate, 'ledger'> & { readonly key: ObjectKey }) | undefined> {
  let last: ObjectKey | undefined
  for await (const { key } of archive.list(certificatesPrefix(mailbox))) last = key
  if (!last) return undefined
  try {
    const content = await readWhole(archive, last, VERIFY.certificateOctets, notOne(last))
    const { type, ledger } = JSON.parse(content.toString('utf8')) as Partial<Certificate>
    return type === 'certificate' ? { ledger, key: last } : undefined
  } catch (error) {
    // What became of it is for the verification of evidence to tell.
    if (error instanceof SyntaxError) return undefined
    if (error instanceof IngestError && error.code === 'ARCHIVE_CONFLICT') return undefined
    throw error
  }
}

function notOne(key: ObjectKey): (octets: number) => IngestError {
  return (octets) => new IngestError('ARCHIVE_CONFLICT', `${key}: ${octets} octets are no certificate`)
}
