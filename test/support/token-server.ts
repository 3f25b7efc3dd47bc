import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type JWTPayload, jwtVerify } from 'jose'

export interface KnownClient {
  readonly secret?: string
  readonly certificatePem?: string
  /** Whose mailbox its tokens are good for; without one a mail server finds none. */
  readonly user?: string
}

/** An application, a service account or a person's consent that the server knows. */
export interface TokenServerOptions {
  readonly clients?: Readonly<Record<string, KnownClient>>
  /** Public keys of service accounts by their address, and for whom they may act. */
  readonly accounts?: Readonly<
    Record<string, { readonly publicKey: KeyObject; readonly users: readonly string[] }>
  >
  /** Refresh tokens that are good now, with the user who consented. */
  readonly refreshTokens?: Readonly<Record<string, string>>
  /** Whether a refresh token is good once, and comes with the next one. */
  readonly rotates?: boolean
  readonly lifetimeSeconds?: number
  /** How far its clock is ahead. */
  readonly aheadMs?: number
  /** Answers in place of the server, before anything else: undefined leaves it to the server. */
  readonly answer?: (request: URLSearchParams) => TokenAnswer | undefined | Promise<TokenAnswer | undefined>
}

export interface TokenAnswer {
  readonly status: number
  readonly body: string | object
  readonly headers?: Readonly<Record<string, string>>
}

export interface TokenServer {
  readonly url: string
  readonly introspectionUrl: string
  /** Requests to the token endpoint, in their order. */
  readonly requests: readonly URLSearchParams[]
  /** The claims of the assertions that were verified. */
  readonly claims: readonly JWTPayload[]
  /** The token that a mail server finds good for the user; `*` is every one. */
  issue(user: string, lifetimeSeconds?: number): string
  /** The user of a token that is good now. */
  userOf(token: string): string | undefined
  revoke(token: string): void
  revokeAll(): void
  /** The lifetime of tokens from now on. */
  lasting(seconds: number): void
  /** While it is down, connections are dropped. */
  down(isDown: boolean): void
  close(): Promise<void>
}

interface Issued {
  readonly user: string
  readonly until: number
}

/**
 * A token endpoint with introspection (RFC 6749, 7523, 7662) on loopback that is stricter than those of providers: client secrets
 * are compared, assertions are verified with the key that was registered, by audience, issuer and time, and
 * each only once.
 */
export async function startTokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const { clients = {}, accounts = {}, aheadMs = 0 } = options
  let lifetimeSeconds = options.lifetimeSeconds ?? 3600
  const refreshTokens = new Map(Object.entries(options.refreshTokens ?? {}))
  const tokens = new Map<string, Issued>()
  const requests: URLSearchParams[] = []
  const claims: JWTPayload[] = []
  const used = new Set<string>()
  let isDown = false

  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const tokenUrl = (): string => `${origin()}/token`
  const now = (): Date => new Date(Date.now() + aheadMs)
  const issue = (user: string, seconds = lifetimeSeconds): string => {
    const token = `token-${randomBytes(24).toString('base64url')}`
    tokens.set(token, { user, until: Date.now() + seconds * 1000 })
    return token
  }
  const granted = (user: string, more: object = {}): TokenAnswer => ({
    status: 200,
    body: { token_type: 'Bearer', access_token: issue(user), expires_in: lifetimeSeconds, ...more },
  })
  const refused = (error: string, description: string, status = 400): TokenAnswer => ({
    status,
    body: { error, error_description: description },
  })

  async function verified(assertion: string, key: KeyObject, issuer: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(assertion, key, {
      audience: tokenUrl(),
      issuer,
      currentDate: now(),
      requiredClaims: ['exp', 'iat'],
      algorithms: ['PS256', 'RS256', 'ES256'],
    })
    if ((payload.iat ?? Infinity) > now().getTime() / 1000 + 5) throw new Error('issued in the future')
    // Google's have no id.
    if (payload.jti !== undefined && used.has(payload.jti)) throw new Error('used twice')
    if (payload.jti !== undefined) used.add(payload.jti)
    claims.push(payload)
    return payload
  }

  async function authenticated(body: URLSearchParams): Promise<TokenAnswer | undefined> {
    const client = clients[body.get('client_id') ?? '']
    if (!client) return refused('unauthorized_client', 'no such application')
    const assertion = body.get('client_assertion')
    if (assertion !== null && client.certificatePem !== undefined) {
      try {
        await verified(assertion, createPublicKey(client.certificatePem), body.get('client_id') ?? '')
        return undefined
      } catch (error) {
        return refused('invalid_client', `AADSTS700027: ${String(error)}`, 401)
      }
    }
    if (client.secret === undefined || body.get('client_secret') === client.secret) return undefined
    return refused('invalid_client', 'AADSTS7000215: Invalid client secret provided.', 401)
  }

  async function answer(body: URLSearchParams): Promise<TokenAnswer> {
    const own = await options.answer?.(body)
    if (own) return own
    const grant = body.get('grant_type')
    if (grant === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      const assertion = body.get('assertion') ?? ''
      const [, part = ''] = assertion.split('.')
      const { iss, sub } = JSON.parse(Buffer.from(part, 'base64url').toString()) as JWTPayload
      const account = accounts[iss ?? '']
      if (!account) return refused('invalid_grant', 'Invalid grant: account not found')
      try {
        await verified(assertion, account.publicKey, iss ?? '')
      } catch (error) {
        return refused('invalid_grant', `Invalid JWT: ${String(error)}`)
      }
      if (!account.users.includes(sub ?? ''))
        return refused('unauthorized_client', 'Client is unauthorized to retrieve access tokens')
      return granted(sub ?? '')
    }
    const problem = await authenticated(body)
    if (problem) return problem
    if (grant === 'client_credentials') return granted(clients[body.get('client_id') ?? '']?.user ?? '*')
    if (grant !== 'refresh_token') return refused('unsupported_grant_type', String(grant))
    const refreshToken = body.get('refresh_token') ?? ''
    const user = refreshTokens.get(refreshToken)
    if (user === undefined) return refused('invalid_grant', 'Token has been expired or revoked.')
    if (!options.rotates) return granted(user)
    refreshTokens.delete(refreshToken)
    const next = `refresh-${randomBytes(24).toString('base64url')}`
    refreshTokens.set(next, user)
    return granted(user, { refresh_token: next })
  }

  const userOf = (token: string): string | undefined => {
    const issued = tokens.get(token)
    return issued && Date.now() < issued.until ? issued.user : undefined
  }

  /** RFC 7662. A token of an application is good for the user whom the mail server asks about. */
  function introspect(body: URLSearchParams): TokenAnswer {
    const user = userOf(body.get('token') ?? '')
    return { status: 200, body: user === undefined ? { active: false } : { active: true, username: user } }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (isDown) {
      request.socket.destroy()
      return
    }
    const body = new URLSearchParams(Buffer.concat(await request.toArray()).toString())
    const isToken = request.url === '/token'
    if (isToken) requests.push(body)
    const { status, body: sent, headers = {} } = isToken ? await answer(body) : introspect(body)
    response.writeHead(status, {
      'content-type': 'application/json',
      date: now().toUTCString(),
      ...headers,
    })
    response.end(typeof sent === 'string' ? sent : JSON.stringify(sent))
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: tokenUrl(),
    introspectionUrl: `${origin()}/introspect`,
    requests,
    claims,
    issue,
    userOf,
    revoke: (token) => void tokens.delete(token),
    revokeAll: () => tokens.clear(),
    lasting(seconds) {
      lifetimeSeconds = seconds
    },
    down(value) {
      isDown = value
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
