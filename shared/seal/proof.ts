import * as z from 'zod'
import { MAILBOX_ID_PATTERN, type MailboxId, SHA256_PATTERN, type Sha256 } from '../contract/ids.ts'
import { ledgerKey, MAX_SEQ } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { type MessageEntry, readMessageEntry } from '../ledger/segment.ts'
import { decodeLine } from '../ndjson.ts'
import { rootOf } from './merkle-tree.ts'
import { isSignedBy, lineLeaf, readPublicKey, readSeal, type Seal, signedSealShape } from './seal.ts'

// An inclusion proof: that a message was in the archive when a seal was made. It is checked from itself, the message and a public key.

const proofSchema = z.object({
  type: z.literal('mailsluice-proof'),
  v: z.literal(1),
  mailbox: z.string().regex(MAILBOX_ID_PATTERN),
  /** Segment and line of the ledger that name the message; the header is line 1. */
  segment: z.int().min(1).max(MAX_SEQ),
  line: z.int().min(2),
  /** The line as stored. */
  entry: z.string(),
  leafIndex: z.int().nonnegative(),
  /** Hashes from the leaf to the root (RFC 9162, 2.1.3). */
  path: z.array(z.string().regex(SHA256_PATTERN)).max(64),
  ...signedSealShape,
})

export type Proof = Readonly<z.infer<typeof proofSchema>>

/** What a proof proves. */
export interface Proven {
  readonly mailbox: MailboxId
  readonly seal: Seal
  readonly entry: MessageEntry
  /** Timestamp authorities whose answers are in the proof; `openssl ts` checks them. */
  readonly authorities: readonly string[]
}

/** Throws PROOF_INVALID for what is no proof. */
export function decodeProof(text: string, where: string): Proof {
  return decodeLine(proofSchema, text, where, (place, what, cause) => {
    return new IngestError('PROOF_INVALID', `${place}: ${what}`, { cause })
  })
}

/**
 * Checks message, proof and key against each other; asks nobody. Throws PROOF_INVALID with what does not fit.
 * @param publicKey PEM of a key that the caller trusts: the one in the proof proves nothing by itself
 */
export function verifyProof(
  message: { readonly sha256: Sha256; readonly octets: number },
  proof: Proof,
  publicKey: string,
): Proven {
  const key = readPublicKey(publicKey)
  if (!key) throw invalid('the public key is none that signs seals; expected PEM of an Ed25519 or P-256 key')
  if (!isSignedBy(key, proof)) throw invalid('the seal is not signed by this key, or was changed')
  const seal = readSeal(proof, 'the seal of the proof')
  const mailbox = proof.mailbox as MailboxId
  const leaf = lineLeaf(ledgerKey(mailbox, proof.segment), proof.line, Buffer.from(proof.entry))
  const path = proof.path.map((hash) => Buffer.from(hash, 'hex'))
  const root = rootOf(leaf, proof.leafIndex, seal.treeSize, path)
  if (root?.toString('hex') !== seal.root)
    throw invalid(
      'the ledger entry does not lead to the root that was sealed: entry, place or path were changed',
    )
  const entry = readMessageEntry(proof.entry)
  if (!entry) throw invalid('the ledger entry is not of a message')
  if (entry.sha256 !== message.sha256 || entry.octets !== message.octets)
    throw invalid(
      `the message is another one: ${message.octets} octets with SHA-256 ${message.sha256}; the ledger has ${entry.octets} with ${entry.sha256}`,
    )
  return { mailbox, seal, entry, authorities: proof.timestamps.map(({ authority }) => authority) }
}

function invalid(what: string): IngestError {
  return new IngestError('PROOF_INVALID', what)
}
