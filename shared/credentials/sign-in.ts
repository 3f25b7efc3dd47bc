import { IngestError } from '../errors.ts'
import { SECRET_REFUSED } from '../failed-log-ins.ts'
import type { Login, LoginSecret } from './credentials.ts'

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
    const notTaken = error instanceof IngestError && SECRET_REFUSED.has(error.code)
    if (!notTaken || !(await login.refused(secret))) throw error
  }
  return open(await login.secret())
}
