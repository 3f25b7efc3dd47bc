import type { Login, LoginSecret, LoginSettings, SecretStore } from './credentials.ts'
import { AccessTokens, type TokenSettings } from './oauth2.ts'
import { expiriesOf } from './oauth2-secret.ts'
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
    const { oauth2 } = mailbox
    const reading =
      mailbox.auth === 'oauth2' && oauth2 ? tokenLogin({ ...mailbox, oauth2 }) : passwordLogin(mailbox)
    return { ...reading, expiries: async () => expiriesOf(await secrets.get(mailbox.credential), oauth2) }
  }

  function passwordLogin({ credential }: LoginSettings): Omit<Login, 'expiries'> {
    const secret = async (): Promise<LoginSecret> => ({
      kind: 'password',
      password: await secrets.get(credential),
    })
    return {
      secret,
      async refused(tried) {
        secrets.forget(credential)
        const current = await secret()
        return current.kind === 'password' && tried.kind === 'password' && current.password !== tried.password
      },
    }
  }

  function tokenLogin(mailbox: TokenSettings): Omit<Login, 'expiries'> {
    /** Those that were made for the sign-in at hand: a server that refuses one of them refuses the next one too. */
    const fresh = new WeakSet<LoginSecret>()
    return {
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
