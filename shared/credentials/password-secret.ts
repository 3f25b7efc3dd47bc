import * as z from 'zod'
import { IngestError } from '../errors.ts'
import type { Expiry } from './credentials.ts'
import { expirySchema, jsonOf } from './secret-json.ts'

const passwordSchema = z.looseObject({ password: z.string().min(1), expires: expirySchema })

/**
 * Reads a secret: the password alone, or JSON with `password` among other keys, as the console of Secrets Manager makes it. Throws
 * CREDENTIAL_UNUSABLE, which quotes nothing, for such JSON with anything else in these keys.
 */
export function readPassword(text: string, reference: string): string {
  const json = passwordJsonOf(text)
  if (json === undefined) return text
  const read = passwordSchema.safeParse(json)
  if (read.success) return read.data.password
  throw new IngestError(
    'CREDENTIAL_UNUSABLE',
    `credential ${reference}: expected the password alone, or JSON with password and, where it is known, expires: "2027-01-31"`,
  )
}

/** When it runs out, as far as it says so. */
export function passwordExpiriesOf(text: string): readonly Expiry[] {
  const { expires } = passwordSchema.safeParse(passwordJsonOf(text)).data ?? {}
  return expires === undefined ? [] : [{ what: 'password', at: new Date(expires) }]
}

/** A password may begin with a brace; one that is JSON with such a key is not one. */
function passwordJsonOf(text: string): object | undefined {
  const json = jsonOf(text)
  return typeof json === 'object' && json !== null && 'password' in json ? json : undefined
}
