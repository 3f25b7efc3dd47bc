import type { MailboxConfig } from '../contract/config.ts'

/** The credentials port: secrets by their reference in the configuration (`env:NAME`, `file:PATH`, `ssm:NAME`, `secretsmanager:ID`). */
export interface Credentials {
  /**
   * Read anew at each call. Rejects with CREDENTIAL_MISSING, which names the reference and never the secret, or
   * with SECRET_STORE_UNAVAILABLE.
   */
  password(reference: string): Promise<string>
  /**
   * A mark that is another one after the secret was changed, and tells nothing of the secret. Undefined where there is none: for what is not
   * there, and for the environment, which lasts as long as the process.
   */
  version(reference: string): Promise<string | undefined>
  /**
   * Puts `secret` in the place of `expected`; false when there is another one by now. Rejects with CREDENTIAL_UNSAVED where it may not or
   * cannot be written, and as `password` does.
   */
  replace(reference: string, expected: string, secret: string): Promise<boolean>
  /** What this mailbox signs in with. Logins of one Credentials share what they keep. */
  login(mailbox: LoginSettings): Login
}

/** Where secrets are. */
export type SecretStore = Omit<Credentials, 'login'>

export type LoginSettings = Pick<MailboxConfig, 'user' | 'credential' | 'auth' | 'oauth2'>

export type LoginSecret =
  | { readonly kind: 'password'; readonly password: string }
  | {
      readonly kind: 'access-token'
      readonly accessToken: string
      /** By this machine's clock. */
      readonly expiresAt: Date
    }

/** The way of one mailbox to what it signs in with. */
export interface Login {
  /**
   * Asked before each sign-in; secrets and access tokens are kept for a while (CREDENTIALS in limits.ts). Rejects with CREDENTIAL_…, TOKEN_…,
   * GRANT_EXPIRED, CONSENT_MISSING (scope mailbox), or TOKEN_ENDPOINT_UNAVAILABLE, SECRET_STORE_UNAVAILABLE, THROTTLED (scope session).
   */
  secret(): Promise<LoginSecret>
  /** The server refused `secret`, so it is kept no longer. True when there is another one now: one more sign-in is worth it. */
  refused(secret: LoginSecret): Promise<boolean>
  /** When parts of it run out, as far as that is known. Rejects as `secret` does, and asks no token endpoint. */
  expiries(): Promise<readonly Expiry[]>
}

export interface Expiry {
  readonly what: 'client secret' | 'certificate' | 'password' | 'refresh token'
  readonly at: Date
}
