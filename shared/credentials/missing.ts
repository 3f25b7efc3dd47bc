import { IngestError } from '../errors.ts'

/** `reference` is where the secret should be; `why` must not quote what was found there. */
export function missing(reference: string, why: string, cause?: unknown): IngestError {
  return new IngestError('CREDENTIAL_MISSING', `credential ${reference}: ${why}`, { cause })
}

/** Where a secret may not or cannot be written. */
export function unsaved(reference: string, why: string, cause?: unknown): IngestError {
  return new IngestError('CREDENTIAL_UNSAVED', `credential ${reference}: ${why}`, { cause })
}

/**
 * What an AWS client rejected with: the error's name tells the cause; the text may hold an ARN and is kept in `cause`. What passes by itself
 * must not suspend a mailbox.
 */
export function refused(reference: string, cause: unknown, otherwise = missing): IngestError {
  if (!(cause instanceof Error)) return otherwise(reference, 'it cannot be read', cause)
  // Its message quotes what was sent, and that has the secret in it.
  if (cause instanceof SyntaxError)
    return new IngestError('SECRET_STORE_UNAVAILABLE', `credential ${reference}: the answer cannot be read`)
  const why = whyOf(cause)
  if (!passes(cause)) return otherwise(reference, why, cause)
  return new IngestError('SECRET_STORE_UNAVAILABLE', `credential ${reference}: ${why}`, { cause })
}

/** The SDK puts `$metadata` also on errors of the network, without a status then. */
function whyOf(error: Error): string {
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: unknown }; code?: unknown }
  if ($metadata?.httpStatusCode !== undefined) return `AWS answered ${error.name}`
  return typeof code === 'string' ? `AWS was not reached: ${code}` : error.message
}

/** Names of errors of the SDK and of Node with which a later try may succeed. */
const PASSING =
  /^(Throttling|ThrottlingException|TooManyUpdates|RequestLimitExceeded|InternalServerError|InternalServiceError|ServiceUnavailable|TimeoutError|NetworkingError|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH)$/

function passes(error: Error): boolean {
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: unknown }; code?: unknown }
  const status = $metadata?.httpStatusCode
  if (typeof status === 'number' && (status >= 500 || status === 429)) return true
  return PASSING.test(error.name) || (typeof code === 'string' && PASSING.test(code))
}
