import { IngestError } from '../errors.ts'
import { CREDENTIALS } from '../limits.ts'
import type { LoginSettings, SecretStore } from './credentials.ts'
import { type Answer, askTokenEndpoint, type Granted } from './oauth2-endpoint.ts'
import { type Applicant, tokenRequest } from './oauth2-request.ts'
import { type OAuth2Secret, readOAuth2Secret, withRefreshToken } from './oauth2-secret.ts'
import type { SecretCache } from './secret-cache.ts'

export interface TokenPorts {
  readonly store: Pick<SecretStore, 'password' | 'replace'>
  readonly secrets: SecretCache
  readonly fetch: typeof globalThis.fetch
  readonly now: () => Date
}

export interface AccessToken {
  readonly accessToken: string
  readonly expiresAt: Date
  /** From then on another one is asked for. */
  readonly renewAt: Date
}

interface Entry {
  token?: AccessToken | undefined
  /** One request for all who wait. */
  refresh?: Promise<AccessToken> | undefined
  failure?: { readonly error: IngestError; readonly until: number } | undefined
  /** Written back as soon as the store takes it: the old one may be worth nothing any more. */
  unsaved?: { readonly expected: string; readonly secret: string } | undefined
}

/** Who asks: a mailbox with OAuth 2.0 settings. */
export type TokenSettings = LoginSettings & { readonly oauth2: Applicant['settings'] }

/**
 * Access tokens (RFC 6749), each kept until shortly before it expires and asked for by one request at a time. A refresh token that the
 * provider replaces is in the store before the access token that came with it is used.
 */
export class AccessTokens {
  readonly #ports: TokenPorts
  readonly #entries = new Map<string, Entry>()
  /** How far the clock of an endpoint is ahead of ours. */
  readonly #aheadMs = new Map<string, number>()

  constructor(ports: TokenPorts) {
    this.#ports = ports
  }

  /** Rejects as Login.secret does. */
  async get(mailbox: TokenSettings): Promise<AccessToken> {
    const entry = this.#entryOf(mailbox)
    const kept = entry.token
    if (kept && this.#ports.now() < kept.renewAt) return kept
    try {
      return await this.#refreshed(mailbox, entry)
    } catch (error) {
      const passing = error instanceof IngestError && error.scope === 'session'
      if (!passing || !kept || kept.expiresAt.getTime() - this.#nowMs() < CREDENTIALS.tokenLeastMs)
        throw error
      return kept
    }
  }

  /** The one that is kept, whether or not it is good. */
  kept(mailbox: TokenSettings): AccessToken | undefined {
    return this.#entryOf(mailbox).token
  }

  /** The server did not take it: unless another one is kept already, the next one who asks gets a new one. */
  forget(mailbox: TokenSettings, accessToken: string): void {
    const entry = this.#entryOf(mailbox)
    if (entry.token?.accessToken === accessToken) entry.token = undefined
    entry.failure = undefined
  }

  #refreshed(mailbox: TokenSettings, entry: Entry): Promise<AccessToken> {
    const { failure } = entry
    if (failure && this.#nowMs() < failure.until) return Promise.reject(failure.error)
    entry.refresh ??= this.#ask(mailbox, entry)
      .catch((error: unknown) => {
        if (error instanceof IngestError)
          entry.failure = { error, until: this.#nowMs() + CREDENTIALS.tokenFailureMs }
        throw error
      })
      .finally(() => {
        entry.refresh = undefined
      })
    return entry.refresh
  }

  async #ask(mailbox: TokenSettings, entry: Entry): Promise<AccessToken> {
    const { secrets, now } = this.#ports
    const { credential, oauth2 } = mailbox
    if (entry.unsaved) await this.#save(credential, entry)
    for (let attempt = 1; ; attempt++) {
      const text = await secrets.get(credential)
      const secret = readOAuth2Secret(text, oauth2.grant, credential)
      const askedAt = now()
      const { granted, refusal } = await this.#answered(mailbox, secret)
      if (!granted) {
        // The secret may be another one by now: that one deserves a try.
        secrets.forget(credential)
        if (attempt < CREDENTIALS.rotationAttempts && (await secrets.get(credential)) !== text) continue
        throw refusal
      }
      const { refreshToken } = granted
      if (
        secret.grant === 'refresh-token' &&
        refreshToken !== undefined &&
        refreshToken !== secret.refreshToken
      ) {
        entry.unsaved = { expected: text, secret: withRefreshToken(text, refreshToken) }
        if (!(await this.#save(credential, entry))) {
          // Somebody else replaced it meanwhile, and theirs is the younger one.
          if (attempt < CREDENTIALS.rotationAttempts) continue
          throw new IngestError(
            'SECRET_STORE_UNAVAILABLE',
            `credential ${credential}: others replaced the refresh token ${attempt} times at the same moment`,
          )
        }
      }
      entry.token = lasting(granted, askedAt)
      return entry.token
    }
  }

  /** False when the store has another secret by now. */
  async #save(credential: string, entry: Entry): Promise<boolean> {
    const { store, secrets } = this.#ports
    if (!entry.unsaved) return true
    const saved = await store.replace(credential, entry.unsaved.expected, entry.unsaved.secret)
    entry.unsaved = undefined
    secrets.forget(credential)
    return saved
  }

  async #answered({ oauth2, user }: TokenSettings, secret: OAuth2Secret): Promise<Answer> {
    const { fetch, now } = this.#ports
    const { tokenUrl } = oauth2
    const where = `${new URL(tokenUrl).host} (${oauth2.clientId ?? user})`
    const ask = async (): Promise<Answer> => {
      const time = new Date(now().getTime() + (this.#aheadMs.get(tokenUrl) ?? 0))
      const body = await tokenRequest(secret, { settings: oauth2, user }, time)
      return askTokenEndpoint(tokenUrl, body, { where, fetch, now })
    }
    const first = await ask()
    // An assertion may have been refused for its date alone.
    if (first.granted || !isDated(secret) || !this.#corrected(tokenUrl, first.aheadMs)) return first
    return ask()
  }

  /** Whether our clock differs from the endpoint's by more than an assertion allows, and by more than was known. */
  #corrected(tokenUrl: string, aheadMs: number | undefined): boolean {
    if (aheadMs === undefined) return false
    const known = this.#aheadMs.get(tokenUrl) ?? 0
    if (Math.abs(aheadMs - known) <= CREDENTIALS.clockSkewMs) return false
    this.#aheadMs.set(tokenUrl, aheadMs)
    return true
  }

  /** A token is good for every mailbox of its credential; one of a service account is for one user. */
  #entryOf({ credential, oauth2, user }: TokenSettings): Entry {
    const { grant, tokenUrl, clientId, scope } = oauth2
    const subject = grant === 'service-account' ? user : ''
    const key = JSON.stringify([credential, grant, tokenUrl, clientId, scope, subject])
    const entry = this.#entries.get(key) ?? {}
    this.#entries.set(key, entry)
    return entry
  }

  #nowMs(): number {
    return this.#ports.now().getTime()
  }
}

/** Counted from before the request: the endpoint counted from later on. */
function lasting({ accessToken, lifetimeMs }: Granted, askedAt: Date): AccessToken {
  const marginMs = Math.min(CREDENTIALS.tokenMarginMs, lifetimeMs / 2)
  const at = (ms: number): Date => new Date(askedAt.getTime() + ms)
  return { accessToken, expiresAt: at(lifetimeMs), renewAt: at(lifetimeMs - marginMs) }
}

/** Whether it proves itself by an assertion, which has a date. */
function isDated(secret: OAuth2Secret): boolean {
  return secret.grant === 'service-account' || secret.client.kind === 'certificate'
}
