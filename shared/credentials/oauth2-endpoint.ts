import * as z from 'zod'
import { type ErrorCode, IngestError } from '../errors.ts'
import { CREDENTIALS } from '../limits.ts'

/** What a token endpoint gave. */
export interface Granted {
  readonly accessToken: string
  readonly lifetimeMs: number
  /** The one to use from now on, when the endpoint sent one. */
  readonly refreshToken: string | undefined
}

export interface Answer {
  /** Undefined when it refused: `refusal` says how. */
  readonly granted: Granted | undefined
  readonly refusal: IngestError | undefined
  /** How far the endpoint's clock is ahead of ours, by its Date field; undefined without one. */
  readonly aheadMs: number | undefined
}

const grantedSchema = z.looseObject({
  // As it goes into a SASL message: it must not hold what ends a field there (RFC 6750, 2.1; RFC 7628, 3.1).
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  expires_in: z.coerce.number().positive().optional().catch(undefined),
  refresh_token: z.string().min(1).optional(),
})

const refusedSchema = z.looseObject({
  error: z.string(),
  error_description: z.string().optional().catch(undefined),
  error_codes: z.array(z.number()).optional().catch(undefined),
})

/** RFC 6749, 5.2, and what its extensions add. */
const BY_ERROR: Readonly<Record<string, ErrorCode>> = {
  invalid_client: 'TOKEN_REFUSED',
  invalid_request: 'TOKEN_REFUSED',
  unsupported_grant_type: 'TOKEN_REFUSED',
  invalid_grant: 'GRANT_EXPIRED',
  interaction_required: 'GRANT_EXPIRED',
  unauthorized_client: 'CONSENT_MISSING',
  invalid_scope: 'CONSENT_MISSING',
  consent_required: 'CONSENT_MISSING',
  access_denied: 'CONSENT_MISSING',
  admin_policy_enforced: 'CONSENT_MISSING',
  temporarily_unavailable: 'TOKEN_ENDPOINT_UNAVAILABLE',
  server_error: 'TOKEN_ENDPOINT_UNAVAILABLE',
  slow_down: 'THROTTLED',
  rate_limit_exceeded: 'THROTTLED',
}

/** Microsoft's own numbers say more than its `error` (learn.microsoft.com/entra/identity-platform/reference-error-codes). */
const BY_AADSTS: Readonly<Record<number, ErrorCode>> = {
  /** The client secret has expired. */
  7000222: 'CREDENTIAL_EXPIRED',
  /** The client secret is wrong; often its id was stored for it. */
  7000215: 'TOKEN_REFUSED',
  /** The assertion's certificate is not that of the application, or has expired. */
  700027: 'TOKEN_REFUSED',
  /** No such application in this directory; no such directory. */
  700016: 'TOKEN_REFUSED',
  90002: 'TOKEN_REFUSED',
  /** Consent. */
  65001: 'CONSENT_MISSING',
  7000112: 'CONSENT_MISSING',
  500011: 'CONSENT_MISSING',
  /** The refresh token has run out, was not used for too long, or was revoked with the password. */
  700082: 'GRANT_EXPIRED',
  70008: 'GRANT_EXPIRED',
  50173: 'GRANT_EXPIRED',
  /** The account is disabled; there is none. */
  50057: 'ACCOUNT_RESTRICTED',
  50034: 'MAILBOX_MISSING',
  50053: 'ACCOUNT_RESTRICTED',
  /** Too many requests; a passing fault of theirs. */
  90055: 'THROTTLED',
  90033: 'TOKEN_ENDPOINT_UNAVAILABLE',
}

/**
 * Asks a token endpoint once. A refusal is an answer; rejects with TOKEN_ENDPOINT_UNAVAILABLE or THROTTLED when there is none of use. Nothing of
 * the request stands in an error, also when the endpoint sends it back.
 */
export async function askTokenEndpoint(
  url: string,
  body: URLSearchParams,
  { where, fetch, now }: { where: string; fetch: typeof globalThis.fetch; now: () => Date },
): Promise<Answer> {
  const unavailable = (why: string, cause?: unknown): IngestError =>
    new IngestError('TOKEN_ENDPOINT_UNAVAILABLE', `${where}: ${withoutSecrets(why, body)}`, { cause })
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      body: body.toString(),
      // Whoever may redirect would be sent the credentials.
      redirect: 'error',
      signal: AbortSignal.timeout(CREDENTIALS.tokenRequestMs),
    })
    text = await bounded(response)
  } catch (error) {
    // fetch rejects with TypeError for all that a network can fail with, and with a DOMException when the time is up.
    if (error instanceof TypeError || error instanceof DOMException) throw unavailable(reasonOf(error), error)
    throw error
  }
  const { status } = response
  const date = Date.parse(response.headers.get('date') ?? '')
  const aheadMs = Number.isNaN(date) ? undefined : date - now().getTime()
  const json = jsonOf(text)
  if (response.ok) {
    const granted = grantedSchema.safeParse(json)
    if (!granted.success) throw unavailable(`HTTP ${status} without an access token`)
    const { access_token, expires_in, refresh_token } = granted.data
    const lifetimeMs = expires_in === undefined ? CREDENTIALS.tokenUnsaidMs : expires_in * 1000
    return {
      granted: { accessToken: access_token, lifetimeMs, refreshToken: refresh_token },
      refusal: undefined,
      aheadMs,
    }
  }
  const refused = refusedSchema.safeParse(json)
  const said = withoutSecrets(`HTTP ${status} ${wordsOf(refused.data)}`, body)
  const code = classify(status, refused.data, body)
  const refusal = new IngestError(code, `${where}: the token endpoint answered ${said}`)
  if (refusal.scope === 'session') throw refusal
  return { granted: undefined, refusal, aheadMs }
}

type Refused = z.infer<typeof refusedSchema> | undefined

function classify(status: number, refused: Refused, body: URLSearchParams): ErrorCode {
  if (status === 429) return 'THROTTLED'
  if (status >= 500 || status === 408) return 'TOKEN_ENDPOINT_UNAVAILABLE'
  // A proxy or a wrong address answers like this, and not a token endpoint.
  if (!refused) return 'TOKEN_ENDPOINT_UNAVAILABLE'
  const [byNumber] = numbersOf(refused).flatMap((number) => BY_AADSTS[number] ?? [])
  if (byNumber) return byNumber
  const code = BY_ERROR[refused.error] ?? 'TOKEN_REFUSED'
  if (code !== 'GRANT_EXPIRED' || body.get('grant_type') === 'refresh_token') return code
  // There was no consent that could have run out: it is the key, the clock or the mailbox of an assertion.
  return /^invalid email or user id/i.test(refused.error_description ?? '')
    ? 'MAILBOX_MISSING'
    : 'TOKEN_REFUSED'
}

/** In `error_codes`, and in the text, as older endpoints have it. */
function numbersOf({ error_codes = [], error_description = '' }: NonNullable<Refused>): readonly number[] {
  return [
    ...error_codes,
    ...[...error_description.matchAll(/AADSTS(\d+)/g)].map(([, number]) => Number(number)),
  ]
}

function wordsOf(refused: Refused): string {
  if (!refused) return 'and nothing that a token endpoint says'
  const { error, error_description = '' } = refused
  return `${error}${error_description === '' ? '' : `: ${error_description}`}`
}

/** Bounded and on one line, with what was sent taken out of it. */
function withoutSecrets(text: string, body: URLSearchParams): string {
  const secrets = ['client_secret', 'client_assertion', 'assertion', 'refresh_token'].flatMap(
    (name) => body.get(name) ?? [],
  )
  let clean = text
  for (const secret of secrets)
    for (const form of [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ '': secret }).toString().slice(1),
    ])
      clean = clean.replaceAll(form, '***')
  return clean.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 400)
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let octets = 0
  for await (const chunk of response.body ?? []) {
    octets += chunk.length
    if (octets > CREDENTIALS.tokenAnswerOctets) throw new TypeError('an answer that does not end')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function reasonOf(error: Error): string {
  const { cause } = error
  if (error.name === 'TimeoutError') return `no answer within ${CREDENTIALS.tokenRequestMs} ms`
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
