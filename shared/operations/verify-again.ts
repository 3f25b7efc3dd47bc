import { isDeepStrictEqual } from 'node:util'
import type { Archive } from '../archive/archive.ts'
import { recordedDns } from '../authentication/dns-record.ts'
import { type Evidence, readEvidence } from '../authentication/evidence.ts'
import { verifyMessage } from '../authentication/verify-message.ts'
import { type Verification, verificationSchema } from '../contract/authentication.ts'
import type { MailboxId, Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'

export interface VerifiedAgain {
  readonly evidence: Evidence
  /** What the message gives today, with the answers that DNS gave then. */
  readonly verification: Verification
  /** It is what was found then. */
  readonly confirmed: boolean
}

/**
 * Verifies a message once more by what is kept of it: with the keys and records as they were, at the time as it was. DNS is not asked. Undefined for
 * a message that was never verified. Rejects with ARCHIVE_….
 */
export async function verifyAgain(
  mailbox: MailboxId,
  digest: Sha256,
  archive: Archive,
): Promise<VerifiedAgain | undefined> {
  const evidence = await readEvidence(mailbox, digest, archive)
  if (!evidence) return undefined
  const { header, answers } = evidence
  const { body } = await archive.get(rawKey(mailbox, digest))
  try {
    const { verification } = await verifyMessage(body, {
      receivedBy: header.receivedBy,
      dns: recordedDns(answers),
      at: new Date(header.verifiedAt),
    })
    const confirmed = isDeepStrictEqual(verification, verificationSchema.parse(header))
    return { evidence, verification, confirmed }
  } finally {
    body.destroy()
  }
}
