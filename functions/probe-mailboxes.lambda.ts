import type { MailboxConfig } from '../shared/contract/config.ts'
import { readProbeMailboxesEnvironment } from '../shared/contract/environment.ts'
import { parseProbeRequest } from '../shared/contract/messages.ts'
import { deadlineIn } from '../shared/deadline.ts'
import { IngestError } from '../shared/errors.ts'
import { LAMBDA } from '../shared/limits.ts'
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
  const outcomes = await Promise.allSettled(group.map((mailbox) => reasonOfDrain(mailbox, mailboxes)))
  const wakeUps = outcomes.flatMap((outcome, index): WakeUp[] => {
    const { id: mailbox } = group[index] as MailboxConfig
    if (outcome.status === 'rejected' || outcome.value === undefined) return []
    // Of this request: should SQS deliver it twice, one drain is enough; the next tick's is another one.
    return [{ id: `probe-${record.messageId}-${mailbox}`, mailbox, reason: 'probe' }]
  })
  await requestDrains(queues, QUEUE, wakeUps)
  telemetry.count('mailboxesProbed', group.length)
  telemetry.count('drainsRequested', wakeUps.length)
  telemetry.info('probed', {
    mailboxes: group.length,
    notConfigured: ids.length - group.length,
    due: Object.fromEntries(
      outcomes.flatMap((outcome, index) =>
        outcome.status === 'fulfilled' && outcome.value ? [[group[index]?.id, outcome.value]] : [],
      ),
    ),
  })
  const defects = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (defects.length > 0) throw defects[0]
}

/**
 * Why a drain is due, if one is. A mailbox that cannot be looked at is counted and logged by name, and the next tick looks again: a drain would
 * meet the same, and a request that comes back would be the same log-in again for 24 others.
 */
async function reasonOfDrain(mailbox: MailboxConfig, mailboxes: Mailboxes): Promise<string | undefined> {
  const { archive, state } = mailboxes
  const { openMailbox, ended } = mailboxes.visit(mailbox)
  try {
    const deadline = deadlineIn(LAMBDA.probeMs)
    const { due } = await probe(mailbox, { archive, state, openMailbox }, { deadline })
    await ended(undefined)
    return due
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    telemetry.mailboxFailed(mailbox.id, error)
    telemetry[levelOf(error)]('mailbox could not be probed', { mailbox: mailbox.id, ...errorFields(error) })
    await ended(error)
    return undefined
  }
}
