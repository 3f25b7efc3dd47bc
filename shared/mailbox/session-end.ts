import type { ErrorCode } from '../errors.ts'
import { CREDENTIALS } from '../limits.ts'

/**
 * The meaning of what a signed-in session failed with. A connection that is gone when the access token has run out was ended for that: Gmail lets
 * a session last as long as its token ("IMAP, POP, and SMTP", session length limits), Exchange Online too
 * (`* BYE Session invalidated - AccessTokenExpired`, github.com/iroco-co/aioimaplib/issues/83). Neither sends a response code, so that it is
 * the time that tells.
 */
export function sessionCode(code: ErrorCode, tokenEndsAt: Date | undefined): ErrorCode {
  if (code !== 'CONNECTION_LOST' || !tokenEndsAt) return code
  // The server's clock may be ahead of ours.
  return Date.now() >= tokenEndsAt.getTime() - CREDENTIALS.clockSkewMs ? 'SESSION_EXPIRED' : code
}
