import type { ErrorCode, IngestError } from './errors.ts'
import { SUSPENSION } from './limits.ts'

/** Of an error with which entering a mailbox ends and that suspends it. What to do is the remedy of the error. */
export interface FailedLogIn {
  /** Before the second try. */
  readonly firstPauseMs: number
  /** What is said of the mailbox by `check`, the relay and the log of the functions. */
  readonly words: string
}

const { firstPauseMs, administratorPauseMs, restrictedPauseMs } = SUSPENSION

/** With these a server says that it does not take the secret, and not that it does not want the user or has no time. */
export const SECRET_REFUSED: ReadonlySet<ErrorCode> = new Set([
  'AUTHENTICATION_FAILED',
  'CREDENTIAL_EXPIRED',
  'ACCESS_TOKEN_REJECTED',
])

/** Others wait like a wrong password. */
export const FAILED_LOG_INS = {
  AUTHENTICATION_FAILED: { firstPauseMs, words: 'the server does not accept user and password' },
  CREDENTIAL_MISSING: { firstPauseMs, words: 'the secret is not where it should be' },
  CREDENTIAL_UNUSABLE: { firstPauseMs, words: 'the secret is not in a form that can be used' },
  CREDENTIAL_EXPIRED: { firstPauseMs, words: 'the password, client secret or certificate has expired' },
  CREDENTIAL_UNSAVED: { firstPauseMs, words: 'a replaced refresh token cannot be stored, and will be lost' },
  TOKEN_REFUSED: { firstPauseMs, words: 'the token endpoint does not know the application by this secret' },
  GRANT_EXPIRED: { firstPauseMs, words: 'the consent was withdrawn or has expired: somebody has to sign in' },
  ACCESS_TOKEN_REJECTED: {
    firstPauseMs: administratorPauseMs,
    words: 'the mailbox does not accept the access token of the application',
  },
  CONSENT_MISSING: {
    firstPauseMs: administratorPauseMs,
    words: 'the application lacks the permission of an administrator',
  },
  ACCESS_DISABLED: { firstPauseMs: administratorPauseMs, words: 'IMAP or POP3 is switched off' },
  MAILBOX_MISSING: { firstPauseMs: administratorPauseMs, words: 'there is no such mailbox' },
  ACCOUNT_RESTRICTED: {
    firstPauseMs: restrictedPauseMs,
    words: 'the provider has restricted the account and wants its owner in a browser',
  },
  CERTIFICATE_REJECTED: { firstPauseMs, words: 'the certificate of the server is not good' },
  TLS_UNAVAILABLE: { firstPauseMs, words: 'the server offers no TLS' },
} as const satisfies Partial<Record<ErrorCode, FailedLogIn>>

/** How long to wait after so many failures with this error. */
export function pauseMs(code: ErrorCode, failures: number): number {
  const { firstPauseMs } = failedLogIn(code)
  return Math.min(SUSPENSION.longestPauseMs, firstPauseMs * 2 ** (failures - 1))
}

export function failedLogIn(code: ErrorCode): FailedLogIn {
  const known: Partial<Record<ErrorCode, FailedLogIn>> = FAILED_LOG_INS
  return known[code] ?? { firstPauseMs, words: 'it cannot be entered' }
}

/**
 * Whether this error of a session is about entering the mailbox. Archive, ledger and queue are no matter of the mail server: what is
 * wrong with them is tried again by whoever asked for the drain.
 */
export function suspends(error: Pick<IngestError, 'code' | 'scope'>): boolean {
  return error.scope === 'mailbox' && !/^(ARCHIVE|LEDGER|QUEUE)_/.test(error.code)
}
