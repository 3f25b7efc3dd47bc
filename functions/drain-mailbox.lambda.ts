import { readDrainMailboxEnvironment } from '../shared/contract/environment.ts'
import { openWorkerParser } from '../shared/parser/worker-pool.ts'
import { DrainRequests } from './lambda/drain-requests.ts'
import type { LambdaContext, SqsBatchResponse, SqsEvent } from './lambda/events.ts'
import { inOrder } from './lambda/in-order.ts'
import { openMailboxes } from './lambda/mailboxes.ts'
import { Telemetry } from './lambda/telemetry.ts'

// Drains one mailbox for each request, for a slice of time, and requests the continuation.

const settings = readDrainMailboxEnvironment(process.env)
const telemetry = new Telemetry('drain-mailbox', settings.deployment)
const source = openMailboxes(settings, process.env, telemetry)
// The bundle has the worker as a file of its own beside this one.
const parser = openWorkerParser({ workerUrl: new URL('./parse.worker.mjs', import.meta.url) })
const requests = new DrainRequests({ queueUrl: settings.drainQueueUrl, parser, telemetry })

/** Rejects with defects alone: a request that is none, a configuration that cannot be read. */
export async function handler(event: SqsEvent, context: LambdaContext): Promise<SqsBatchResponse> {
  return telemetry.during(context, async () => {
    const mailboxes = await source.current()
    return inOrder(event.Records, (record) => requests.answer(record, mailboxes, context))
  })
}
