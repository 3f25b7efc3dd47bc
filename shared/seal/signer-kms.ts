import { createHash } from 'node:crypto'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { IngestError } from '../errors.ts'
import { SEAL } from '../limits.ts'
import type { Signer } from './signer.ts'

/** What KMS answers when asking again may help (AWS, "KMS API: common errors"; the rest is wrong until somebody acts). */
const PASSING = new Set([
  'DependencyTimeoutException',
  'KMSInternalException',
  'KeyUnavailableException',
  'LimitExceededException',
  'ThrottlingException',
  'TimeoutError',
])

/** An asymmetric KMS key for SIGN_VERIFY on P-256. It never leaves KMS, and every use of it is in CloudTrail. Close it. */
export function openKmsSigner(
  keyId: string,
  endpoint: string | undefined,
): Signer & { readonly close: () => void } {
  const connect = async () => {
    // Loaded when something is signed.
    const { GetPublicKeyCommand, KMSClient, SignCommand } = await import('@aws-sdk/client-kms')
    const requestHandler = new NodeHttpHandler({
      connectionTimeout: SEAL.signConnectMs,
      requestTimeout: SEAL.signMs,
      throwOnRequestTimeout: true,
    })
    return {
      GetPublicKeyCommand,
      SignCommand,
      client: new KMSClient({ ...(endpoint === undefined ? {} : { endpoint }), requestHandler }),
    }
  }
  let opened: ReturnType<typeof connect> | undefined
  const connection = () => {
    opened ??= connect()
    return opened
  }
  return {
    async publicKey() {
      const { GetPublicKeyCommand, client } = await connection()
      const { PublicKey, KeySpec } = await client
        .send(new GetPublicKeyCommand({ KeyId: keyId }))
        .catch((error: unknown) => {
          throw translated(keyId, error)
        })
      if (KeySpec !== 'ECC_NIST_P256' || !PublicKey)
        throw new IngestError('SIGNING_KEY_UNUSABLE', `${keyId}: it is ${KeySpec}; expected ECC_NIST_P256`)
      const base64 = Buffer.from(PublicKey)
        .toString('base64')
        .replace(/.{64}(?!$)/g, '$&\n')
      return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`
    },
    async sign(octets) {
      const { SignCommand, client } = await connection()
      const { Signature } = await client
        .send(
          new SignCommand({
            KeyId: keyId,
            // A message itself may have 4096 octets only.
            Message: createHash('sha256').update(octets).digest(),
            MessageType: 'DIGEST',
            SigningAlgorithm: 'ECDSA_SHA_256',
          }),
        )
        .catch((error: unknown) => {
          throw translated(keyId, error)
        })
      if (!Signature)
        throw new IngestError('SIGNING_UNAVAILABLE', `${keyId}: KMS answered without a signature`)
      return Buffer.from(Signature)
    },
    close() {
      void opened?.then(({ client }) => client.destroy())
    },
  }
}

function translated(keyId: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: number }; code?: string }
  const passing = PASSING.has(error.name) || ($metadata?.httpStatusCode ?? 0) >= 500 || code !== undefined
  if (!passing && $metadata === undefined && error.name !== 'CredentialsProviderError') return error
  return new IngestError(
    passing ? 'SIGNING_UNAVAILABLE' : 'SIGNING_KEY_UNUSABLE',
    `${keyId}: ${error.name}: ${error.message}`,
    { cause: error },
  )
}
