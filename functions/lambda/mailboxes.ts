import type { Archive } from '../../shared/archive/archive.ts'
import type { ArchiveAudit } from '../../shared/archive/audit.ts'
import type { Applied } from '../../shared/contract/applied.ts'
import type { Config, MailboxConfig } from '../../shared/contract/config.ts'
import { secretReference } from '../../shared/contract/deployment.ts'
import type { Environment, MailboxFunctionSettings } from '../../shared/contract/environment.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import type { DerivedStore } from '../../shared/derived/derived.ts'
import { IngestError } from '../../shared/errors.ts'
import type { MailboxSession } from '../../shared/mailbox/mailbox.ts'
import type { Perishable } from '../../shared/operations/expiry.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { openSqsQueues, type SqsQueues } from '../../shared/queue/sqs.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { openAwsArchive, openAwsAudit, openAwsDerived, openAwsState } from '../aws-buckets.ts'
import { type AccessOptions, mailboxOpener } from '../compose.ts'
import { errorFields } from '../telemetry.ts'
import { Configuration } from './configuration.ts'
import type { Telemetry } from './telemetry.ts'
import { beginVisit, type Visit } from './visit.ts'

// What the functions that sign in to mailboxes share: opened once for an execution environment, which ends without a word, so nothing
// is closed but what another configuration replaces.

/** The mailboxes as they are configured now, and the stores around them. */
export interface Mailboxes {
  readonly archive: Archive
  readonly audit: ArchiveAudit
  readonly state: StateStore
  readonly derived: DerivedStore | undefined
  readonly queues: EventQueues
  readonly routes: Config['routes']
  /** Undefined for one that is not configured (any more). */
  find(id: MailboxId): MailboxConfig | undefined
  visit(mailbox: MailboxConfig): Visit
  /** What it signs in with and trusts: asked after a log-in, it costs no request. */
  perishable(mailbox: MailboxConfig): Perishable
}

export interface MailboxSource {
  /** By the configuration that is applied now; without one there are no mailboxes. Rejects with ARCHIVE_…, or a defect when it is damaged. */
  current(): Promise<Mailboxes>
}

interface Opened {
  readonly applied: Applied | undefined
  readonly queues: SqsQueues
  readonly mailboxes: Mailboxes
}

export function openMailboxes(
  settings: MailboxFunctionSettings,
  environment: Environment,
  telemetry: Telemetry,
): MailboxSource {
  const archive = openAwsArchive(settings.archiveBucket, environment)
  const audit = openAwsAudit(settings.archiveBucket, environment)
  const state = openAwsState(settings.stateBucket, environment)
  const { derivedBucket } = settings
  const derived = derivedBucket === undefined ? undefined : openAwsDerived(derivedBucket, environment)
  const configuration = new Configuration(state)
  const credentials = openCredentials({ environment: {}, folder: '/' })
  let opened: Opened | undefined

  function open(applied: Applied | undefined): Opened {
    const bucket = applied?.config.archive.bucket
    // Two archives have two ledgers, and every message would be archived and announced by both.
    if (bucket !== undefined && bucket !== settings.archiveBucket)
      throw new TypeError(
        `the applied configuration archives into ${bucket}, and this function into ${settings.archiveBucket}`,
      )
    const queues = openSqsQueues({ queues: applied?.config.queues ?? {} })
    const suspensions = openSuspensions({ state, queues, credentials })
    const { config, authorities = {} } = applied ?? {}
    const byId = new Map(config?.mailboxes.map((mailbox) => [mailbox.id, mailbox]))
    const mailboxes: Mailboxes = {
      archive,
      audit,
      state,
      derived,
      queues,
      routes: config?.routes ?? [],
      find: (id) => byId.get(id),
      visit: (mailbox) =>
        beginVisit(mailbox, opener(mailbox, { credentials, authorities }), suspensions, (error) =>
          telemetry.warn('suspension could not be kept', { mailbox: mailbox.id, ...errorFields(error) }),
        ),
      perishable: (mailbox) => ({
        login: credentials.login(mailbox),
        authority: mailbox.ca === undefined ? undefined : authorities[mailbox.ca],
      }),
    }
    return { applied, queues, mailboxes }
  }

  return {
    async current() {
      const applied = await configuration.current()
      if (!opened || opened.applied !== applied) {
        const before = opened
        opened = open(applied)
        before?.queues.close()
      }
      return opened.mailboxes
    },
  }
}

function opener(mailbox: MailboxConfig, access: AccessOptions): () => Promise<MailboxSession> {
  const refusal = refusalOfLocalSecret(mailbox)
  return refusal ? () => Promise.reject(refusal) : mailboxOpener(mailbox, access)
}

/**
 * Secrets are where AWS keeps them. `env:` and `file:` are of an operator's machine; here they would lead to the credentials of the role, and
 * whoever may apply a configuration could have them sent to a mail server. Undefined when the mailbox's is not of these.
 */
export function refusalOfLocalSecret({ credential }: MailboxConfig): IngestError | undefined {
  if (secretReference(credential)) return undefined
  return new IngestError(
    'CREDENTIAL_MISSING',
    `credential ${credential}: it is on the machine of an operator; expected ssm:NAME or secretsmanager:ID`,
  )
}
