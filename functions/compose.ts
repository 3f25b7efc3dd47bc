import { type MailboxConfig, portOf } from '../shared/contract/config.ts'
import type { Credentials, LoginSecret } from '../shared/credentials/credentials.ts'
import { maskError, maskOf } from '../shared/credentials/masking.ts'
import { signIn } from '../shared/credentials/sign-in.ts'
import type { MailboxAccess, MailboxSession, OpenMailbox } from '../shared/mailbox/mailbox.ts'

// Which adapter stands behind a mailbox. The command line and the Lambdas build from here, so that they run on the same ones.

export interface AccessOptions {
  readonly credentials: Pick<Credentials, 'login'>
  /** PEM of private CAs by their path in the configuration. */
  readonly authorities: Readonly<Record<string, string>>
  readonly transcript?: ((line: string) => void) | undefined
  /** See MailboxAccess. */
  readonly signal?: AbortSignal | undefined
}

/** How a drain, probe or check opens the mailbox. */
export function mailboxOpener(mailbox: MailboxConfig, options: AccessOptions): () => Promise<MailboxSession> {
  return entry(mailbox, options, async (access) => {
    const open = await adapterOf(mailbox.protocol)
    return open(access)
  })
}

/** Loaded when it is needed: half of what a drain by POP3 loaded was IMAP. */
async function adapterOf(protocol: MailboxConfig['protocol']): Promise<OpenMailbox> {
  if (protocol === 'imap') return (await import('../shared/mailbox/imap.ts')).openImap
  return (await import('../shared/mailbox/pop3.ts')).openPop3
}

/** How a mailbox is entered by `open`. What it signs in with is asked for at every opening, so that a changed one counts at once. */
export function entry<Session>(
  mailbox: MailboxConfig,
  { credentials, authorities, transcript, signal }: AccessOptions,
  open: (access: MailboxAccess) => Promise<Session>,
): () => Promise<Session> {
  const access = {
    host: mailbox.host,
    port: portOf(mailbox),
    tls: mailbox.tls,
    ca: mailbox.ca === undefined ? undefined : authorities[mailbox.ca],
    user: mailbox.user,
    folders: mailbox.folders,
    skipFolders: mailbox.skipFolders,
    search: mailbox.search,
    signal,
  }
  const login = credentials.login(mailbox)
  return () =>
    signIn(login, async (secret) => {
      const mask = maskOf(secret, access)
      const masked = transcript && ((line: string) => transcript(mask(line)))
      try {
        return await open({ ...access, transcript: masked, ...proof(secret) })
      } catch (error) {
        throw maskError(error, mask)
      }
    })
}

function proof(secret: LoginSecret): Pick<MailboxAccess, 'password' | 'accessToken' | 'accessTokenEndsAt'> {
  if (secret.kind === 'password') return { password: async () => secret.password }
  return {
    password: () => Promise.reject(new TypeError('this mailbox signs in with an access token')),
    accessToken: async () => secret.accessToken,
    accessTokenEndsAt: secret.expiresAt,
  }
}
