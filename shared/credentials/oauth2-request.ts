import { createHash, type KeyObject, randomUUID, type X509Certificate } from 'node:crypto'
import type { OAuth2Config } from '../contract/oauth2.ts'
import { CREDENTIALS } from '../limits.ts'
import type { OAuth2Secret } from './oauth2-secret.ts'

/** Who asks for a token. */
export interface Applicant {
  readonly settings: OAuth2Config
  /** The mailbox that a service account acts for. */
  readonly user: string
}

/**
 * The body of a token request (RFC 6749, 4.4 and 6; RFC 7523). `now` dates assertions. Client secrets go into the body:
 * Microsoft and Google take them there, and HTTP Basic encodes some characters in ways on which servers differ.
 */
export async function tokenRequest(
  secret: OAuth2Secret,
  { settings, user }: Applicant,
  now: Date,
): Promise<URLSearchParams> {
  const body = new URLSearchParams()
  const { tokenUrl, scope = '', clientId = '' } = settings
  if (secret.grant === 'service-account') {
    const { key, keyId, account } = secret
    body.set('grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer')
    const claims = { iss: account, sub: user, aud: tokenUrl, scope }
    body.set('assertion', await sign(claims, { alg: algorithmOf(key, 'RS256'), kid: keyId }, key, now))
    return body
  }
  body.set('client_id', clientId)
  if (scope !== '') body.set('scope', scope)
  if (secret.grant === 'refresh-token') {
    body.set('grant_type', 'refresh_token')
    body.set('refresh_token', secret.refreshToken)
  } else body.set('grant_type', 'client_credentials')
  const { client } = secret
  if (client.kind === 'secret') body.set('client_secret', client.clientSecret)
  if (client.kind === 'certificate') {
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    const claims = { iss: clientId, sub: clientId, aud: tokenUrl, jti: randomUUID() }
    const header = { alg: algorithmOf(client.key, 'PS256'), 'x5t#S256': thumbprint(client.certificate) }
    body.set('client_assertion', await sign(claims, header, client.key, now))
  }
  return body
}

async function sign(
  claims: Record<string, string>,
  header: { readonly alg: string; readonly [name: string]: string | undefined },
  key: KeyObject,
  now: Date,
): Promise<string> {
  const issuedSeconds = Math.floor((now.getTime() - CREDENTIALS.clockSkewMs) / 1000)
  const expiresSeconds = Math.floor((now.getTime() + CREDENTIALS.assertionMs) / 1000)
  // Most mailboxes need none.
  const { SignJWT } = await import('jose')
  return new SignJWT(claims)
    .setProtectedHeader({ typ: 'JWT', ...header })
    .setIssuedAt(issuedSeconds)
    .setExpirationTime(expiresSeconds)
    .sign(key)
}

/** Microsoft asks for PS256 with RSA keys, Google for RS256; an elliptic curve leaves no choice. */
function algorithmOf(key: KeyObject, withRsa: 'PS256' | 'RS256'): string {
  return key.asymmetricKeyType === 'ec' ? 'ES256' : withRsa
}

/** `x5t#S256`: by which the endpoint finds the certificate that it knows (RFC 7515, 4.1.8). */
function thumbprint(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}
