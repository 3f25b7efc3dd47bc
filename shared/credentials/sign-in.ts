import { type ErrorCode, IngestError } from '../errors.ts'
import type { Login, LoginSecret } from './credentials.ts'

/** With these a server says that it does not take the secret, and not that it does not want the user or has no time. */
const NOT_TAKEN: ReadonlySet<ErrorCode> = new Set([
  'AUTHENTICATION_FAILED',
  'CREDENTIAL_EXPIRED',
  'ACCESS_TOKEN_REJECTED',
])

/**
 * Opens with what the login has. When the server does not take it and there is another one by now (a password that was changed, an access
 * token that was revoked), it is tried once more, at once: so a rotation needs no restart. Rejects as `open` and Login.secret do.
 */
export async function signIn<Session>(
  login: Pick<Login, 'secret' | 'refused'>,
  open: (secret: LoginSecret) => Promise<Session>,
): Promise<Session> {
  const secret = await login.secret()
  try {
    return await open(secret)
  } catch (error) {
    const notTaken = error instanceof IngestError && NOT_TAKEN.has(error.code)
    if (!notTaken || !(await login.refused(secret))) throw error
  }
  return open(await login.secret())
}
