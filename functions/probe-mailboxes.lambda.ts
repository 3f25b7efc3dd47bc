import type { MailboxConfig } from '../shared/contract/config.ts'
import { readProbeMailboxesEnvironment } from '../shared/contract/environment.ts'
import type { MailboxId } from '../shared/contract/ids.ts'
import { parseProbeRequest } from '../shared/contract/messages.ts'
import { LOOKED_AT } from '../shared/contract/metrics.ts'
import { deadlineIn } from '../shared/deadline.ts'
import { IngestError } from '../shared/errors.ts'
import { LAMBDA } from '../shared/limits.ts'
import { expiringOf } from '../shared/operations/expiry.ts'
import { probe } from '../shared/probe.ts'
import { requestDrains, type WakeUp } from '../shared/queue/requests.ts'
import { openSqsQueues } from '../shared/queue/sqs.ts'
import type { LambdaContext, SqsEvent, SqsRecord } from './lambda/events.ts'
import { type Mailboxes, openMailboxes } from './lambda/mailboxes.ts'
import { levelOf, Telemetry } from './lambda/telemetry.ts'
import { errorFields } from './telemetry.ts'

// Asks a group of mailboxes at the same time whether anything is new, and requests drains of those alone.

const QUEUE = 'drain-requests'
const settings = readProbeMailboxesEnvironment(process.env)
const telemetry = new Telemetry('probe-mailboxes', settings.deployment)
const source = openMailboxes(settings, process.env, telemetry)
const queues = openSqsQueues({ queues: { [QUEUE]: settings.drainQueueUrl } })

/** Rejects with a defect, or when a drain could not be requested: the group is probed again. A mailbox that fails is not a reason. */
export async function handler(event: SqsEvent, context: LambdaContext): Promise<void> {
  await telemetry.during(context, async () => {
    const mailboxes = await source.current()
    for (const record of event.Records) await probeGroup(record, mailboxes)
  })
}

async function probeGroup(record: SqsRecord, mailboxes: Mailboxes): Promise<void> {
  const ids = parseProbeRequest(record.body).mailboxes
  const group = ids.flatMap((id) => mailboxes.find(id) ?? [])
  const outcomes = await Promise.allSettled(group.map((mailbox) => look(mailbox, mailboxes)))
  const looks = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const due = looks.filter((each) => each.due !== undefined)
  const wakeUps = due.map(
    // Of this request: should SQS deliver it twice, one drain is enough; the next tick's is another one.
    ({ mailbox }): WakeUp => ({ id: `probe-${record.messageId}-${mailbox}`, mailbox, reason: 'probe' }),
  )
  await requestDrains(queues, QUEUE, wakeUps)
  telemetry.count('mailboxesProbed', group.length)
  telemetry.count('drainsRequested', wakeUps.length)
  telemetry.info('probed', {
    mailboxes: group.length,
    notConfigured: ids.length - group.length,
    // The dashboard finds by it who was not looked at for long.
    [LOOKED_AT]: looks.filter(({ failed }) => !failed).map(({ mailbox }) => mailbox),
    due: Object.fromEntries(due.map((each) => [each.mailbox, each.due])),
  })
  const defects = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (defects.length > 0) throw defects[0]
}

interface Look {
  readonly mailbox: MailboxId
  /** Why a drain is due; undefined when nothing is to do, or when that could not be found out. */
  readonly due: string | undefined
  readonly failed: boolean
}

/**
 * Whether a drain is due. A mailbox that cannot be looked at is counted and logged by name, and the next tick looks again: a drain would
 * meet the same, and a request that comes back would be the same log-in again for 24 others.
 */
async function look(mailbox: MailboxConfig, mailboxes: Mailboxes): Promise<Look> {
  const { archive, state } = mailboxes
  const { openMailbox, ended } = mailboxes.visit(mailbox)
  try {
    const deadline = deadlineIn(LAMBDA.probeMs)
    const { due, entered } = await probe(mailbox, { archive, state, openMailbox }, { deadline })
    await ended(undefined)
    if (entered) telemetry.expiring(mailbox.id, await expiringOf(mailboxes.perishable(mailbox), new Date()))
    return { mailbox: mailbox.id, due, failed: false }
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    telemetry.mailboxFailed(mailbox.id, error)
    telemetry[levelOf(error)]('mailbox could not be probed', { mailbox: mailbox.id, ...errorFields(error) })
    await ended(error)
    return { mailbox: mailbox.id, due: undefined, failed: true }
  }
}
