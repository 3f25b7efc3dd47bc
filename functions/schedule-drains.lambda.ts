import { readScheduleDrainsEnvironment } from '../shared/contract/environment.ts'
import { parseTick } from '../shared/contract/messages.ts'
import { LAMBDA } from '../shared/limits.ts'
import { requestProbes } from '../shared/queue/requests.ts'
import { openSqsQueues } from '../shared/queue/sqs.ts'
import { dueMailboxes, groupsOf } from '../shared/schedule.ts'
import { openAwsState } from './aws-buckets.ts'
import { Configuration } from './lambda/configuration.ts'
import type { LambdaContext } from './lambda/events.ts'
import { Telemetry } from './lambda/telemetry.ts'

// A tick of EventBridge Scheduler: which mailboxes are due, in groups, to the queue of the probe. Through a queue and not by calling the
// function: the queue spreads a tick over the probes that may run at the same time, tries again, and keeps what fails where it is seen.

const QUEUE = 'probe-requests'
const settings = readScheduleDrainsEnvironment(process.env)
const telemetry = new Telemetry('schedule-drains', settings.deployment)
const configuration = new Configuration(openAwsState(settings.stateBucket, process.env))
const queues = openSqsQueues({ queues: { [QUEUE]: settings.probeQueueUrl } })

export async function handler(input: unknown, context: LambdaContext): Promise<void> {
  await telemetry.during(context, async () => {
    const tick = parseTick(input).scheduledAt ?? new Date()
    const applied = await configuration.current()
    if (!applied) telemetry.warn('no configuration is applied: run mailsluice apply')
    const mailboxes = applied?.config.mailboxes ?? []
    const due = dueMailboxes(mailboxes, tick, settings.tickMs)
    const groups = groupsOf(
      due.map(({ id }) => id),
      LAMBDA.mailboxesPerProbe,
    )
    await requestProbes(queues, QUEUE, groups)
    telemetry.count('mailboxesConfigured', mailboxes.length)
    telemetry.count('mailboxesDue', due.length)
    telemetry.info('tick', { tick, configured: mailboxes.length, due: due.length, groups: groups.length })
  })
}
