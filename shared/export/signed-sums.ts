import { IngestError } from '../errors.ts'
import { isSignedBy, readPublicKey } from '../seal/seal.ts'
import type { Signer } from '../seal/signer.ts'

/** Signs the text of a SHA256SUMS, and looks whether the signature is good before anybody is given it. Rejects with SIGNING_…. */
export async function signature(text: Buffer, signer: Signer): Promise<Buffer> {
  const signed = await signer.sign(text)
  const publicKey = await signer.publicKey()
  const key = readPublicKey(publicKey)
  const seal = {
    seal: text.toString('utf8'),
    signature: signed.toString('base64'),
    publicKey,
    timestamps: [],
  }
  if (!key || !isSignedBy(key, seal))
    throw new IngestError('SIGNING_KEY_UNUSABLE', 'what it signs does not verify by its own public key')
  return signed
}
