import { type ErrorCode, IngestError } from '../errors.ts'
import { connectionErrorCode, printable } from './connection-errors.ts'
import { meaningOf } from './refusals.ts'
import { bearerErrorOf } from './sasl.ts'

// Everything that imapflow, TLS, the socket or the server can fail with, in the words of IngestError.

/** The `code` of imapflow; those of the socket, DNS and TLS are in connection-errors.ts. */
const BY_ERROR_CODE: Readonly<Record<string, ErrorCode>> = {
  ClosedAfterConnectText: 'CONNECTION_FAILED',
  ClosedAfterConnectTLS: 'CONNECTION_FAILED',

  NoConnection: 'CONNECTION_LOST',
  EConnectionClosed: 'CONNECTION_LOST',
  StateLogout: 'CONNECTION_LOST',
  NoMailboxSelected: 'CONNECTION_LOST',

  CONNECT_TIMEOUT: 'TIMED_OUT',
  GREETING_TIMEOUT: 'TIMED_OUT',
  UPGRADE_TIMEOUT: 'TIMED_OUT',
  ETIMEOUT: 'TIMED_OUT',

  ETHROTTLE: 'THROTTLED',

  STARTTLS_INJECTION: 'PROTOCOL_VIOLATION',
  UnexpectedTag: 'PROTOCOL_VIOLATION',
  MissingTag: 'PROTOCOL_VIOLATION',
  InvalidResponse: 'PROTOCOL_VIOLATION',
  ResponseProcessingFailed: 'PROTOCOL_VIOLATION',
  MAX_IMAP_NESTING_REACHED: 'PROTOCOL_VIOLATION',
  LineTooLarge: 'PROTOCOL_VIOLATION',
  LiteralTooLarge: 'PROTOCOL_VIOLATION',
  ResponseTooLarge: 'PROTOCOL_VIOLATION',
  TooManyTokens: 'PROTOCOL_VIOLATION',
  TooManyResponses: 'PROTOCOL_VIOLATION',
}

/** What imapflow puts on its errors, as far as it is used here. */
interface ImapFailure extends Error {
  readonly code?: unknown
  readonly serverResponseCode?: unknown
  readonly responseStatus?: unknown
  readonly responseText?: unknown
  readonly response?: unknown
  readonly reason?: unknown
  readonly authenticationFailed?: unknown
  readonly oauthError?: unknown
  readonly tlsFailed?: unknown
}

/**
 * The IngestError for what `doing` failed with, or the error itself when it is none of the known kinds: a defect.
 * `refused` is the meaning of a plain NO or BAD to this command.
 */
export function toIngestError(
  error: unknown,
  doing: string,
  refused: ErrorCode = 'SERVER_UNAVAILABLE',
): unknown {
  if (error instanceof IngestError || !(error instanceof Error)) return error
  const code = classify(error, refused)
  if (code === undefined) return error
  return new IngestError(code, `${doing}: ${describe(error)}`, { cause: error })
}

function classify(failure: ImapFailure, refused: ErrorCode): ErrorCode | undefined {
  const byServer = meaningOf({ code: responseCodeOf(failure), text: answerOf(failure) })
  if (byServer === 'AUTHENTICATION_FAILED') return secretRefused(refused)
  if (byServer) return byServer
  if (typeof failure.code === 'string') {
    const known = BY_ERROR_CODE[failure.code] ?? connectionErrorCode(failure.code)
    if (known) return known
    if (failure.code.startsWith('ParserError')) return 'PROTOCOL_VIOLATION'
  }
  if (failure.tlsFailed === true) return 'TLS_UNAVAILABLE'
  if (failure.authenticationFailed === true) return secretRefused(refused)
  if (failure.responseStatus === 'NO' || failure.responseStatus === 'BAD') return refused
  return undefined
}

/** A log-in says by `refused` whether it was by access token. */
function secretRefused(refused: ErrorCode): ErrorCode {
  return refused === 'ACCESS_TOKEN_REJECTED' ? refused : 'AUTHENTICATION_FAILED'
}

/** The response code (RFC 9051, 7.1), upper case; imapflow sets it for log-ins only, so it is read from the answer otherwise. */
function responseCodeOf(failure: ImapFailure): string {
  if (typeof failure.serverResponseCode === 'string') return failure.serverResponseCode.toUpperCase()
  const { response } = failure
  if (typeof response !== 'object' || response === null) return ''
  const attributes = (response as { attributes?: readonly { section?: readonly { value?: unknown }[] }[] })
    .attributes
  const value = attributes?.[0]?.section?.[0]?.value
  return typeof value === 'string' ? value.toUpperCase() : ''
}

function answerOf(failure: ImapFailure): string {
  return [failure.responseText, failure.response, failure.reason]
    .filter((text) => typeof text === 'string')
    .join(' ')
}

/** The server's own words where there are some; bounded, for they are the server's to choose. */
function describe(failure: ImapFailure): string {
  const said =
    failure.responseText ??
    (typeof failure.response === 'string' ? failure.response : undefined) ??
    failure.reason
  const text = typeof said === 'string' && said !== '' ? said : failure.message
  const status = failure.responseStatus ?? (failure.authenticationFailed === true ? 'NO' : undefined)
  const token = bearerErrorOf(failure.oauthError)
  const more = token === '' ? '' : ` (${token})`
  return printable(typeof status === 'string' ? `the server answered ${status}: ${text}${more}` : text)
}
