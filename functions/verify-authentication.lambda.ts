import type { Dns } from '../shared/authentication/dns.ts'
import { openDnsResolver } from '../shared/authentication/dns-resolver.ts'
import type { Applied } from '../shared/contract/applied.ts'
import { readVerifyAuthenticationEnvironment } from '../shared/contract/environment.ts'
import type { MailboxId } from '../shared/contract/ids.ts'
import { parseObjectCreated } from '../shared/contract/messages.ts'
import { parseLedgerKey } from '../shared/contract/object-key.ts'
import { deadlineIn } from '../shared/deadline.ts'
import { IngestError } from '../shared/errors.ts'
import { readSegment } from '../shared/ledger/ledger.ts'
import { AUTHENTICATION, LAMBDA } from '../shared/limits.ts'
import { verifySegment } from '../shared/operations/verify-authentication.ts'
import { openSqsQueues, type SqsQueues } from '../shared/queue/sqs.ts'
import { openAwsArchive, openAwsState } from './aws-buckets.ts'
import { Configuration } from './lambda/configuration.ts'
import type { LambdaContext, SqsBatchResponse, SqsEvent } from './lambda/events.ts'
import { levelOf, Telemetry } from './lambda/telemetry.ts'
import { errorFields } from './telemetry.ts'

// Verifies DKIM, SPF, DMARC and ARC of what a new segment brought. The drain asks no DNS and waits for none.

const settings = readVerifyAuthenticationEnvironment(process.env)
const telemetry = new Telemetry('verify-authentication', settings.deployment)
const archive = openAwsArchive(settings.archiveBucket, process.env)
const configuration = new Configuration(openAwsState(settings.stateBucket, process.env))
let opened: { readonly applied: Applied; readonly queues: SqsQueues; readonly dns: Dns } | undefined

/** Rejects with defects alone; a segment of which something is left comes back. */
export async function handler(event: SqsEvent, context: LambdaContext): Promise<SqsBatchResponse> {
  return telemetry.during(context, async () => {
    const applied = await configuration.current()
    const failed: string[] = []
    for (const { body, messageId } of event.Records) {
      const segment = parseLedgerKey(parseObjectCreated(body).key)
      // What is not of a segment concerns nobody, nor does anything once this is switched off.
      if (!segment || !applied?.config.authentication) continue
      if (!(await verify(segment, applied, context))) failed.push(messageId)
    }
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) }
  })
}

async function verify(
  { mailbox, seq }: { readonly mailbox: MailboxId; readonly seq: number },
  applied: Applied,
  context: LambdaContext,
): Promise<boolean> {
  const { mailboxes, authentication } = applied.config
  const { queues, dns } = open(applied)
  try {
    const { verified, left } = await verifySegment(
      await readSegment(mailbox, archive, seq),
      {
        receivedBy: mailboxes.find(({ id }) => id === mailbox)?.receivedBy,
        queues: [authentication?.queue ?? []].flat(),
        // Of a message that is begun then, all its time is left.
        deadline: deadlineIn(
          context.getRemainingTimeInMillis() - AUTHENTICATION.messageMs - LAMBDA.reserveMs,
        ),
      },
      { archive, queues, dns, now: () => new Date() },
    )
    telemetry.count('messagesVerified', verified)
    telemetry.info('verified', { mailbox, seq, verified, left })
    return left === 0
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    telemetry.mailboxFailed(mailbox, error)
    telemetry[levelOf(error)]('new mail could not be verified', { mailbox, seq, ...errorFields(error) })
    return false
  }
}

/** What a configuration names, opened once for it. */
function open(applied: Applied): NonNullable<typeof opened> {
  if (opened?.applied === applied) return opened
  opened?.queues.close()
  const { queues, authentication } = applied.config
  opened = { applied, queues: openSqsQueues({ queues }), dns: openDnsResolver(authentication?.dnsServers) }
  return opened
}
