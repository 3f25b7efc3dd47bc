import type { Archive } from '../shared/archive/archive.ts'
import type { ArchiveAudit } from '../shared/archive/audit.ts'
import { type Config, type MailboxConfig, portOf } from '../shared/contract/config.ts'
import type { Environment } from '../shared/contract/environment.ts'
import type { Credentials, LoginSecret } from '../shared/credentials/credentials.ts'
import { maskError, maskOf } from '../shared/credentials/masking.ts'
import { signIn } from '../shared/credentials/sign-in.ts'
import type { DerivedStore } from '../shared/derived/derived.ts'
import { openImap } from '../shared/mailbox/imap.ts'
import type { MailboxAccess, MailboxSession } from '../shared/mailbox/mailbox.ts'
import { openPop3 } from '../shared/mailbox/pop3.ts'
import type { EventQueues } from '../shared/queue/queue.ts'
import { openSqsQueues } from '../shared/queue/sqs.ts'
import type { StateStore } from '../shared/state/state.ts'
import { openAwsArchive, openAwsAudit, openAwsDerived, openAwsState } from './aws-buckets.ts'

// Which adapter stands behind which port. The command line and the Lambdas build from here, so that they run on the same ones. What runs on one
// machine alone is in local-stores.ts: a Lambda has no use for it.

/** Where messages go. Whoever opened it closes it. */
export interface Stores {
  readonly archive: Archive
  /** What a reader of the archive never sees: locks and versions. */
  readonly audit: ArchiveAudit
  readonly state: StateStore | undefined
  readonly derived: DerivedStore | undefined
  readonly queues: EventQueues
  close(): Promise<void>
}

/** S3 and SQS, or what speaks their protocols: the AWS SDK's own settings count. `bucket` is required. */
export function openAwsStores(
  {
    bucket,
    stateBucket,
    derivedBucket,
    queues: addresses,
  }: {
    bucket: string
    stateBucket: string | undefined
    derivedBucket: string | undefined
    queues: Config['queues']
  },
  environment: Environment,
): Stores {
  const archive = openAwsArchive(bucket, environment)
  const audit = openAwsAudit(bucket, environment)
  const state = stateBucket === undefined ? undefined : openAwsState(stateBucket, environment)
  const derived = derivedBucket === undefined ? undefined : openAwsDerived(derivedBucket, environment)
  const queues = openSqsQueues({ queues: addresses })
  return {
    archive,
    audit,
    state,
    derived,
    queues,
    async close() {
      archive.close()
      audit.close()
      state?.close()
      derived?.close()
      queues.close()
    },
  }
}

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
  return entry(mailbox, options, mailbox.protocol === 'imap' ? openImap : openPop3)
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
