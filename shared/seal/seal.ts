import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import * as z from 'zod'
import { type ObjectKey, SHA256_PATTERN, type Sha256 } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { type Complaint, decodeLine } from '../ndjson.ts'
import { leafHash } from './merkle-tree.ts'

// A seal: one signature over every line that was added to the ledgers since the seal before. What is signed is the text of the seal, octet by
// octet as it is stored: nobody has to agree on a canonical JSON to check it.

const digest = z.string().regex(SHA256_PATTERN)

const sealSchema = z.object({
  type: z.literal('seal'),
  v: z.literal(1),
  seq: z.int().min(1),
  /** SHA-256 of the text of the seal before; null for the first. */
  previous: digest.nullable(),
  sealedAt: z.string(),
  /** Lines of ledgers in the tree. */
  treeSize: z.int().min(1),
  /** Of the tree, RFC 9162. */
  root: digest,
  /** SHA-256 of the list of ledgers with the segment that each is sealed up to. */
  coverage: digest,
})

const signedSealSchema = z.object({
  /** JSON of the seal. */
  seal: z.string(),
  /** Base64, over the UTF-8 octets of `seal`. */
  signature: z.base64(),
  /** PEM. Whoever checks compares it with one that was got on another way. */
  publicKey: z.string(),
  /** Answers of timestamp authorities (RFC 3161, DER, base64) over `seal`. */
  timestamps: z.array(z.object({ authority: z.string(), response: z.base64() })),
})

export type Seal = Readonly<z.infer<typeof sealSchema>>
export type SignedSeal = Readonly<z.infer<typeof signedSealSchema>>

export const signedSealShape = signedSealSchema.shape

/** Throws SEAL_INVALID for anything else. */
export function decodeSignedSeal(content: string, where: string): SignedSeal {
  return decodeLine(signedSealSchema, content, where, sealInvalid)
}

/** What a seal says, its signature not looked at. Throws SEAL_INVALID for anything else. */
export function readSeal({ seal }: Pick<SignedSeal, 'seal'>, where: string): Seal {
  return decodeLine(sealSchema, seal, where, sealInvalid)
}

/** What the next seal names. */
export function sealDigest({ seal }: Pick<SignedSeal, 'seal'>): Sha256 {
  return createHash('sha256').update(seal).digest('hex') as Sha256
}

/** Whether `key` has signed it. */
export function isSignedBy(key: KeyObject, { seal, signature }: SignedSeal): boolean {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  return verify(algorithm, Buffer.from(seal), key, Buffer.from(signature, 'base64'))
}

/** Undefined for what is no public key of a kind that signs seals: Ed25519, or ECDSA on P-256. */
export function readPublicKey(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem)
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
    return type === 'ed25519' || (type === 'ec' && details?.namedCurve === 'prime256v1') ? key : undefined
  } catch {
    return undefined
  }
}

/**
 * The leaf of one line of a ledger: key of the segment, number of the line (the header is line 1), and the line as stored without its line end. With
 * the place in it, a line cannot be shown as that of another mailbox.
 */
export function lineLeaf(segment: ObjectKey, line: number, content: Uint8Array): Buffer {
  return leafHash(Buffer.concat([Buffer.from(`${segment}\n${line}\n`), content]))
}

/** The lines of a segment as stored, without line ends. */
export function linesOf(content: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let from = 0; from < content.length; ) {
    const end = content.indexOf('\n', from)
    lines.push(content.subarray(from, end))
    from = end + 1
  }
  return lines
}

export const sealInvalid: Complaint = (where, what, cause) =>
  new IngestError('SEAL_INVALID', `${where}: ${what}`, { cause })
