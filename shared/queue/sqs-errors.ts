import { type ErrorCode, IngestError } from '../errors.ts'

// What the SDK, SQS or the network fails with, in the words of IngestError. By name and code, never by text.

/** Names of SQS and of AWS's common errors, without the prefix and suffix that some of the protocols give them. */
const BY_NAME: Readonly<Record<string, ErrorCode>> = {
  QueueDoesNotExist: 'QUEUE_MISSING',
  NonExistentQueue: 'QUEUE_MISSING',
  QueueDeletedRecently: 'QUEUE_MISSING',
  InvalidAddress: 'QUEUE_MISSING',
  AccessDenied: 'QUEUE_DENIED',
  InvalidSecurity: 'QUEUE_DENIED',
  InvalidClientTokenId: 'QUEUE_DENIED',
  UnrecognizedClient: 'QUEUE_DENIED',
  SignatureDoesNotMatch: 'QUEUE_DENIED',
  IncompleteSignature: 'QUEUE_DENIED',
  MissingAuthenticationToken: 'QUEUE_DENIED',
  ExpiredToken: 'QUEUE_DENIED',
  NotAuthorized: 'QUEUE_DENIED',
  OptInRequired: 'QUEUE_DENIED',
  KmsAccessDenied: 'QUEUE_DENIED',
  KmsDisabled: 'QUEUE_DENIED',
  KmsInvalidKeyUsage: 'QUEUE_DENIED',
  KmsInvalidState: 'QUEUE_DENIED',
  KmsNotFound: 'QUEUE_DENIED',
  KmsOptInRequired: 'QUEUE_DENIED',
  // The SDK found nothing to sign with.
  CredentialsProviderError: 'QUEUE_DENIED',
  TokenProviderError: 'QUEUE_DENIED',
}

/** Refusals of a whole batch for what one message of it is. */
const OF_ONE_ENTRY = new Set([
  'InvalidMessageContents',
  'InvalidParameterValue',
  'InvalidParameterCombination',
  'InvalidAttributeValue',
  'MissingParameter',
  'BatchRequestTooLong',
  'UnsupportedOperation',
])

/** Nobody answered there: the request was certainly not carried out. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/**
 * The IngestError for what a request failed with; `where` names queue and host. What passes by itself, a lost answer
 * included, is QUEUE_UNAVAILABLE. Whatever comes neither from SQS nor from the network is a defect, and thrown as it is.
 */
export function toQueueError(error: unknown, where: string): IngestError {
  if (error instanceof IngestError) return error
  if (!(error instanceof Error)) throw error
  const code = BY_NAME[plainName(error.name)]
  const reason = networkCode(error) ?? error.name
  const message = `${where}: ${reason}${error.message ? `: ${error.message}` : ''}`
  if (code) return new IngestError(code, message, { cause: error })
  if (isFromService(error) || networkCode(error) !== undefined || error.name === 'TimeoutError')
    return new IngestError('QUEUE_UNAVAILABLE', message, { cause: error })
  throw error
}

/** A receipt handle that was used, or whose visibility timeout has passed; the last is what FIFO queues of AWS say. */
const OF_A_SPENT_RECEIPT = new Set(['ReceiptHandleIsInvalid', 'MessageNotInflight', 'InvalidParameterValue'])

/** Whether a deletion came too late or for the second time. */
export function isOfSpentReceipt(error: unknown): boolean {
  return error instanceof Error && OF_A_SPENT_RECEIPT.has(plainName(error.name))
}

/** Whether a batch was refused for a message in it, so that others of it may be taken without that one. */
export function isOfOneEntry(error: IngestError): boolean {
  return error.cause instanceof Error && OF_ONE_ENTRY.has(plainName(error.cause.name))
}

/** Whether nobody listens where the request was sent to. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof IngestError) return isUnreachable(error.cause)
  return error instanceof Error && UNREACHABLE.has(networkCode(error) ?? '')
}

/** Whether a connection that existed broke. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof IngestError) return isConnectionLost(error.cause)
  return error instanceof Error && ['ECONNRESET', 'EPIPE', 'ECONNABORTED'].includes(networkCode(error) ?? '')
}

/** `AWS.SimpleQueueService.NonExistentQueue`, `AccessDeniedException`, `KMS.DisabledException` … */
function plainName(name: string): string {
  const last = name.slice(name.lastIndexOf('.') + 1).replace(/Exception$/, '')
  return /\bKMS\./i.test(name) ? `Kms${last}` : last
}

/** Anything that was parsed, or failed to be parsed, from an HTTP answer. */
function isFromService(error: Error): boolean {
  return '$metadata' in error || '$response' in error
}

/** errno of the socket; of the first address when several were tried (AggregateError). */
function networkCode(error: Error): string | undefined {
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code)) return code
  const [first] = error instanceof AggregateError ? error.errors : []
  return first instanceof Error ? networkCode(first) : undefined
}
