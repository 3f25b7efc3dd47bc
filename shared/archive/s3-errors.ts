import { type ErrorCode, IngestError } from '../errors.ts'

// What the SDK, S3 or the network fails with, in the words of IngestError. By name, status and errno, never by text.
// Names: Amazon S3 API Reference, "Error responses".

const BY_NAME: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'ARCHIVE_MISSING',
  // The bucket is in another region than the request was signed for or sent to.
  PermanentRedirect: 'ARCHIVE_MISSING',
  TemporaryRedirect: 'ARCHIVE_MISSING',
  AuthorizationHeaderMalformed: 'ARCHIVE_MISSING',
  IllegalLocationConstraintException: 'ARCHIVE_MISSING',
  InvalidBucketName: 'ARCHIVE_MISSING',
  // The SDK found nothing to sign with.
  CredentialsProviderError: 'ARCHIVE_DENIED',
  TokenProviderError: 'ARCHIVE_DENIED',
  ExpiredToken: 'ARCHIVE_DENIED',
  InvalidToken: 'ARCHIVE_DENIED',
  ObjectLockConfigurationNotFoundError: 'ARCHIVE_MISCONFIGURED',
}

/** Answers with a status that would not be repeated otherwise, and that pass by themselves. */
const REPEATABLE = new Set([
  // 409: another request for the key is under way (conditional writes).
  'ConditionalRequestConflict',
  'OperationAborted',
  // 400: the octets came slowly, or not as they were sent. Octets that are wrong on our side are never sent.
  'RequestTimeout',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
  'IncompleteBody',
  // 403: the SDK has corrected its clock by the answer.
  'RequestTimeTooSkewed',
  'Throttling',
  'ThrottlingException',
])

/** Whether the same request may succeed when it is sent again. */
export function isRepeatable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const status = statusOf(error)
  if (status === undefined) return isFromNetwork(error)
  return status >= 500 || status === 429 || REPEATABLE.has(error.name)
}

/** Whether the request may have been carried out all the same. A 503 says that it was not. */
export function isAnswerLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const status = statusOf(error)
  if (status === undefined) return isFromNetwork(error) && !isUnreachable(error)
  return status >= 500 && status !== 503
}

/** HTTP status of the answer; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  return (error.$metadata as { httpStatusCode?: number }).httpStatusCode
}

/**
 * The IngestError for what a request failed with. What passes by itself is ARCHIVE_UNAVAILABLE; an answer that is in no
 * table is ARCHIVE_MISCONFIGURED, for asking again would not change it. Whatever comes neither from S3 nor from the
 * network is a defect, and thrown as it is.
 */
export function toArchiveError(error: unknown, where: string): IngestError {
  if (error instanceof IngestError) return error
  if (!(error instanceof Error)) throw error
  const code = codeOf(error)
  if (!code) throw error
  const status = statusOf(error)
  const reason = errnoOf(error) ?? (status === undefined ? error.name : `${status} ${error.name}`)
  const text = error.message && error.message !== error.name ? `: ${error.message}` : ''
  return new IngestError(code, `${where}: ${reason}${text}`, { cause: error })
}

function codeOf(error: Error): ErrorCode | undefined {
  const named = BY_NAME[error.name]
  if (named) return named
  if (isRepeatable(error)) return 'ARCHIVE_UNAVAILABLE'
  const status = statusOf(error)
  if (status === undefined) return undefined
  if (status === 301 || status === 307) return 'ARCHIVE_MISSING'
  return status === 401 || status === 403 ? 'ARCHIVE_DENIED' : 'ARCHIVE_MISCONFIGURED'
}

function isFromNetwork(error: Error): boolean {
  return error.name === 'TimeoutError' || errnoOf(error) !== undefined
}

/** Nobody answered there: the request was certainly not carried out. */
function isUnreachable(error: Error): boolean {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(
    errnoOf(error) ?? '',
  )
}

/** Of the socket; of the first address when several were tried (AggregateError). */
function errnoOf(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code)) return code
  const [first] = error instanceof AggregateError ? error.errors : []
  return first instanceof Error ? errnoOf(first) : undefined
}
