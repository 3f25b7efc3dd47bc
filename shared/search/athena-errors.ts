import type { QueryExecutionStatus } from '@aws-sdk/client-athena'
import { type ErrorCode, IngestError } from '../errors.ts'

// What the SDK, Athena or the network fails with, in the words of IngestError.

/** Names of Athena and of AWS's common errors. */
const BY_NAME: Readonly<Record<string, ErrorCode>> = {
  AccessDeniedException: 'SEARCH_DENIED',
  UnrecognizedClientException: 'SEARCH_DENIED',
  InvalidSignatureException: 'SEARCH_DENIED',
  ExpiredTokenException: 'SEARCH_DENIED',
  MissingAuthenticationTokenException: 'SEARCH_DENIED',
  // The SDK found nothing to sign with.
  CredentialsProviderError: 'SEARCH_DENIED',
  TokenProviderError: 'SEARCH_DENIED',
  ResourceNotFoundException: 'SEARCH_MISSING',
  MetadataException: 'SEARCH_MISSING',
  // The statement is ours and always the same: what is refused before it runs is the workgroup or the database.
  InvalidRequestException: 'SEARCH_MISSING',
}

/** The IngestError for what a request failed with. What comes neither from Athena nor from the network is a defect, and returned as it is. */
export function toSearchError(error: unknown, where: string): unknown {
  if (!(error instanceof Error) || error instanceof IngestError) return error
  const { code: errno } = error as { code?: unknown }
  const message = `${where}: ${error.name === 'Error' ? errno : error.name}: ${error.message}`
  const code = BY_NAME[error.name]
  if (code) return new IngestError(code, message, { cause: error })
  if (
    '$metadata' in error ||
    '$response' in error ||
    typeof errno === 'string' ||
    error.name === 'TimeoutError'
  )
    return new IngestError('SEARCH_UNAVAILABLE', message, { cause: error })
  return error
}

/** Athena's error catalog (user guide, "Error type reference"). */
const BY_TYPE: readonly { readonly types: readonly number[]; readonly code: ErrorCode }[] = [
  { types: [234, 1500, 1501], code: 'SEARCH_DENIED' },
  { types: [1109, 1110, 1300, 1301, 1306], code: 'SEARCH_MISSING' },
  // Resources, timeouts, throttling, capacity, and what broke inside.
  {
    types: [...range(0, 8), 100, ...range(200, 240), ...range(300, 303), ...range(400, 406)],
    code: 'SEARCH_UNAVAILABLE',
  },
  { types: [1010, 1012, 1013, ...range(1400, 1406), 1602, 9999], code: 'SEARCH_UNAVAILABLE' },
]

/** The error for a query that ended without success. */
export function ofFailedQuery(where: string, status: QueryExecutionStatus | undefined): IngestError {
  const { State: state, StateChangeReason: reason, AthenaError: error } = status ?? {}
  const message = `${where}: ${reason ?? error?.ErrorMessage ?? `the query is ${state}`}`
  // The one thing that has no type: the workgroup's limit cancels the query, and the reason says so.
  if (state === 'CANCELLED')
    return /bytes scanned limit/i.test(reason ?? '')
      ? new IngestError('SEARCH_LIMITED', message)
      : new IngestError(
          'SEARCH_UNAVAILABLE',
          `${where}: somebody has cancelled the query: ${reason ?? 'no reason given'}`,
        )
  const type = error?.ErrorType
  const known = BY_TYPE.find(({ types }) => type !== undefined && types.includes(type))
  return new IngestError(known?.code ?? 'SEARCH_FAILED', message)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, n) => from + n)
}
