import type { ErrorCode } from '../errors.ts'

// What a refusal means, for IMAP and POP3 alike (RFC 5530; RFC 2449, 8; RFC 3206; and what large providers say). The response code decides.
// Words narrow down a code that says little, and alone they may only soften: what suspends a mailbox has a code, or is a plain refusal of
// the log-in. Where each answer was seen: test/mailbox/refusals.test.ts.

export interface Refusal {
  /** Upper case and without its arguments; empty without one. */
  readonly code: string
  readonly text: string
}

interface Rule {
  /** Of these codes; the empty one is none. */
  readonly codes: readonly string[]
  readonly says?: RegExp
  readonly means: ErrorCode
}

/** The first that fits. */
const RULES: readonly Rule[] = [
  {
    codes: ['', 'ALERT', 'UNAVAILABLE', 'LIMIT', 'INUSE', 'SYS/TEMP'],
    says: /too many (simultaneous )?connections|maximum number of connections/i,
    means: 'TOO_MANY_CONNECTIONS',
  },
  {
    codes: ['', 'ALERT', 'AUTH'],
    says: /exceeded (\w+ )?command or bandwidth limits/i,
    means: 'THROTTLED',
  },
  // Exchange Online has taken the log-in, and its store does not answer: throttling, or a passing trouble.
  { codes: [''], says: /authenticated but not connected/i, means: 'THROTTLED' },
  // "Request is throttled. Suggested Backoff Time: 92415 milliseconds".
  { codes: [''], says: /backoff time/i, means: 'THROTTLED' },
  // Exchange, when its store is away.
  { codes: [''], says: /\bserver unavailable\b/i, means: 'SERVER_UNAVAILABLE' },
  {
    codes: ['ALERT', 'SYS/PERM'],
    says: /not enabled for (IMAP|POP)|yet to enable (IMAP|POP)|(IMAP|POP3?) access is disabled/i,
    means: 'ACCESS_DISABLED',
  },
  {
    codes: ['ALERT', 'AUTH'],
    says: /web login required|log ?in via your web browser/i,
    means: 'ACCOUNT_RESTRICTED',
  },
  { codes: ['SYS/PERM'], says: /mailbox does not exist/i, means: 'MAILBOX_MISSING' },
  // RFC 1939, 4 and 9, for servers without codes.
  {
    codes: [''],
    says: /\b(maildrop|mailbox|mail ?drop)\b.*\b(locked|in use|busy)\b/i,
    means: 'MAILDROP_LOCKED',
  },
  { codes: [''], says: /\block (the )?(maildrop|mailbox)\b/i, means: 'MAILDROP_LOCKED' },

  { codes: ['AUTHENTICATIONFAILED', 'AUTHORIZATIONFAILED', 'AUTH'], means: 'AUTHENTICATION_FAILED' },
  { codes: ['EXPIRED'], means: 'CREDENTIAL_EXPIRED' },
  { codes: ['WEBALERT', 'CONTACTADMIN'], means: 'ACCOUNT_RESTRICTED' },
  { codes: ['PRIVACYREQUIRED'], means: 'TLS_UNAVAILABLE' },
  { codes: ['UNAVAILABLE', 'INUSE', 'SERVERBUG', 'CORRUPTION'], means: 'SERVER_UNAVAILABLE' },
  { codes: ['SYS/TEMP', 'SYS/PERM'], means: 'SERVER_UNAVAILABLE' },
  { codes: ['LIMIT', 'THROTTLED', 'OVERQUOTA', 'LOGIN-DELAY'], means: 'THROTTLED' },
  { codes: ['IN-USE'], means: 'MAILDROP_LOCKED' },
  { codes: ['NONEXISTENT', 'TRYCREATE'], means: 'FOLDER_MISSING' },
  { codes: ['CLIENTBUG'], means: 'PROTOCOL_VIOLATION' },
]

/** What the words of a server without a response code may mean at most: held by a test to what passes by itself. */
export const BY_WORDS_ALONE: readonly ErrorCode[] = RULES.filter(
  ({ codes, says }) => says && codes.includes(''),
).map(({ means }) => means)

/** Undefined when neither code nor words say anything. */
export function meaningOf({ code, text }: Refusal): ErrorCode | undefined {
  return RULES.find(({ codes, says }) => codes.includes(code) && (!says || says.test(text)))?.means
}

/** The meaning of a refused log-in: a server that does not know the secret may mean a password or an access token. */
export function loginMeaningOf(refusal: Refusal, by: 'password' | 'access token'): ErrorCode {
  const means = meaningOf(refusal) ?? 'AUTHENTICATION_FAILED'
  return means === 'AUTHENTICATION_FAILED' && by === 'access token' ? 'ACCESS_TOKEN_REJECTED' : means
}
