import { IngestError } from '../errors.ts'

/** `reference` is where the secret should be; `why` must not quote what was found there. */
export function missing(reference: string, why: string, cause?: unknown): IngestError {
  return new IngestError('CREDENTIAL_MISSING', `credential ${reference}: ${why}`, { cause })
}

/** What an AWS client rejected with: the error's name tells the cause; the text may hold an ARN and is kept in `cause`. */
export function refused(reference: string, cause: unknown): IngestError {
  if (!(cause instanceof Error)) return missing(reference, 'it cannot be read', cause)
  return missing(reference, '$metadata' in cause ? `AWS answered ${cause.name}` : cause.message, cause)
}
