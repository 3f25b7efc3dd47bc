import type { Login, LoginSecret, LoginSettings, SecretStore } from './credentials.ts'
import { AccessTokens, type TokenSettings } from './oauth2.ts'
import { oauth2ExpiriesOf } from './oauth2-secret.ts'
import { passwordExpiriesOf, readPassword } from './password-secret.ts'
import { SecretCache } from './secret-cache.ts'

export interface LoginPorts {
  readonly store: Pick<SecretStore, 'password' | 'replace'>
  /** @default the global one */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** @default the system's clock */
  readonly now?: (() => Date) | undefined
}

/** What mailboxes sign in with, over a store of secrets. Mailboxes with the same credential share what is kept of it. */
export function openLogins({
  store,
  fetch = globalThis.fetch,
  now = () => new Date(),
}: LoginPorts): (mailbox: LoginSettings) => Login {
  const secrets = new SecretCache(
    (reference) => store.password(reference),
    () => now().getTime(),
  )
  const tokens = new AccessTokens({ store, secrets, fetch, now })
  return (mailbox) => {
    const { auth, oauth2 } = mailbox
    return auth === 'oauth2' && oauth2 ? tokenLogin({ ...mailbox, oauth2 }) : passwordLogin(mailbox)
  }

  function passwordLogin({ credential }: LoginSettings): Login {
    const secret = async (): Promise<LoginSecret> => ({
      kind: 'password',
      password: readPassword(await secrets.get(credential), credential),
    })
    return {
      secret,
      expiries: async () => passwordExpiriesOf(await secrets.get(credential)),
      async refused(tried) {
        secrets.forget(credential)
        const current = await secret()
        return current.kind === 'password' && tried.kind === 'password' && current.password !== tried.password
      },
    }
  }

  function tokenLogin(mailbox: TokenSettings): Login {
    /** Those that were made for the sign-in at hand: a server that refuses one of them refuses the next one too. */
    const fresh = new WeakSet<LoginSecret>()
    return {
      expiries: async () => oauth2ExpiriesOf(await secrets.get(mailbox.credential), mailbox.oauth2),
      async secret() {
        const kept = tokens.kept(mailbox)
        const token = await tokens.get(mailbox)
        const { accessToken, expiresAt } = token
        const secret: LoginSecret = { kind: 'access-token', accessToken, expiresAt }
        if (token !== kept) fresh.add(secret)
        return secret
      },
      async refused(tried) {
        secrets.forget(mailbox.credential)
        if (tried.kind !== 'access-token') return false
        tokens.forget(mailbox, tried.accessToken)
        return !fresh.has(tried)
      },
    }
  }
}
