import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import * as z from 'zod'
import type { OAuth2Config } from '../contract/oauth2.ts'
import { IngestError } from '../errors.ts'
import type { Expiry } from './credentials.ts'
import { expirySchema, jsonOf } from './secret-json.ts'

/** What a token endpoint is told who asks. */
export type ClientProof =
  | { readonly kind: 'none' }
  | { readonly kind: 'secret'; readonly clientSecret: string }
  | { readonly kind: 'certificate'; readonly key: KeyObject; readonly certificate: X509Certificate }

/** A secret of the store, as its grant needs it. */
export type OAuth2Secret =
  | { readonly grant: 'client-credentials'; readonly client: ClientProof }
  | {
      readonly grant: 'service-account'
      readonly key: KeyObject
      readonly keyId: string | undefined
      readonly account: string
    }
  | { readonly grant: 'refresh-token'; readonly client: ClientProof; readonly refreshToken: string }

const clientSchema = z.looseObject({
  clientSecret: z.string().min(1).optional(),
  privateKey: z.string().min(1).optional(),
  certificate: z.string().min(1).optional(),
  refreshToken: z.string().min(1).optional(),
  expires: expirySchema,
})

/** Google's key file, as it is downloaded. */
const accountSchema = z.looseObject({
  type: z.literal('service_account'),
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().min(1).optional(),
})

type Client = z.infer<typeof clientSchema>

/**
 * Reads a secret: JSON (docs/providers.md has the formats), or its one value alone: the client secret, the refresh token, or private key and
 * certificate in PEM. Throws CREDENTIAL_UNUSABLE, which says what is expected and quotes nothing.
 */
export function readOAuth2Secret(
  text: string,
  grant: OAuth2Config['grant'],
  reference: string,
): OAuth2Secret {
  const unusable = (expected: string, cause?: unknown): IngestError =>
    new IngestError('CREDENTIAL_UNUSABLE', `credential ${reference}: expected ${expected}`, { cause })
  if (grant === 'service-account') {
    const account = accountSchema.safeParse(jsonOf(text))
    if (!account.success) throw unusable('the JSON key file of a Google service account')
    const { client_email, private_key, private_key_id } = account.data
    const key = privateKeyOf(private_key)
    if (!key) throw unusable('a private key in the PEM of private_key')
    return { grant, key, keyId: private_key_id, account: client_email }
  }
  const client = readClient(text, grant)
  if (!client) throw unusable('JSON with clientSecret, privateKey and certificate, or refreshToken')
  const proof = proofOf(client, unusable)
  if (grant === 'client-credentials') {
    if (proof.kind === 'none') throw unusable('clientSecret, or privateKey and certificate')
    return { grant, client: proof }
  }
  if (client.refreshToken === undefined) throw unusable('refreshToken')
  return { grant, client: proof, refreshToken: client.refreshToken }
}

/** The secret with another refresh token; everything else in it stays. */
export function withRefreshToken(text: string, refreshToken: string): string {
  const json = jsonOf(text)
  if (typeof json !== 'object' || json === null) return refreshToken
  const { expires, ...rest } = json as Client
  // It was said of the old one, unless a client secret is there to have an end.
  const kept = rest.clientSecret === undefined || expires === undefined ? {} : { expires }
  return JSON.stringify({ ...rest, ...kept, refreshToken })
}

/** When what is in a secret runs out, as far as it says so. */
export function oauth2ExpiriesOf(text: string, oauth2: OAuth2Config): readonly Expiry[] {
  if (oauth2.grant === 'service-account') return []
  const client = readClient(text, oauth2.grant)
  const found: Expiry[] = []
  const certificate = certificateOf(client?.certificate)
  if (certificate) found.push({ what: 'certificate', at: new Date(certificate.validTo) })
  if (client?.expires !== undefined)
    found.push({
      what: client.clientSecret === undefined ? 'refresh token' : 'client secret',
      at: new Date(client.expires),
    })
  return found
}

function readClient(text: string, grant: 'client-credentials' | 'refresh-token'): Client | undefined {
  if (/-----BEGIN /.test(text) && !/^\s*\{/.test(text)) return { privateKey: text, certificate: text }
  const json = jsonOf(text)
  // What begins as JSON and is none was meant to be: it is no secret to send anywhere.
  if (json === undefined && /^\s*\{/.test(text)) return undefined
  if (json === undefined)
    return grant === 'refresh-token' ? { refreshToken: text.trim() } : { clientSecret: text.trim() }
  return clientSchema.safeParse(json).data
}

function proofOf(client: Client, unusable: (expected: string, cause?: unknown) => IngestError): ClientProof {
  if (client.privateKey === undefined)
    return client.clientSecret === undefined
      ? { kind: 'none' }
      : { kind: 'secret', clientSecret: client.clientSecret }
  const key = privateKeyOf(client.privateKey)
  if (!key) throw unusable('an unencrypted private key in PEM')
  const certificate = certificateOf(client.certificate)
  if (!certificate) throw unusable('the certificate of the private key in PEM')
  if (!certificate.checkPrivateKey(key)) throw unusable('a certificate that belongs to the private key')
  return { kind: 'certificate', key, certificate }
}

function privateKeyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    // What OpenSSL says of a key may quote it.
    return undefined
  }
}

function certificateOf(pem: string | undefined): X509Certificate | undefined {
  const [block] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(pem ?? '') ?? []
  try {
    return block === undefined ? undefined : new X509Certificate(block)
  } catch {
    return undefined
  }
}
