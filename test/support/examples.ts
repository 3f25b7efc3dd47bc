import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { promisify } from 'node:util'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { asciiJson } from '../../shared/bounded-event.ts'
import { LOCAL_CREDENTIALS, LOCAL_REGION, openLocalQueues } from '../../shared/queue/local.ts'

// Consumers of docs/examples as somebody runs them: processes of their own, beside a queue that is served.

const ROOT = join(import.meta.dirname, '..', '..')

/** The settings of an AWS SDK that reaches the local queues. */
const SDK = {
  AWS_REGION: LOCAL_REGION,
  AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
}

/** Runs docs/examples/<name>.ts to its end. Rejects with what it wrote when its exit status is not 0. */
export async function runExample(
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ stdout: string; stderr: string }> {
  // Its imports of the kit lead to the sources: what is packed is tried elsewhere.
  const program = ['--conditions=mailsluice-source', join('docs', 'examples', `${name}.ts`)]
  return promisify(execFile)(process.execPath, program, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...SDK, ...environment },
  })
}

export interface ExampleQueue {
  /** What goes with the test. */
  readonly folder: string
  /** For the process of an example. */
  readonly environment: Readonly<Record<string, string>>
  /** Each in the order given. */
  send(...events: readonly { readonly id: string }[]): Promise<void>
  /** Events that are in it, also those that somebody has received and not removed. */
  waiting(): Promise<number>
}

/** A queue in a folder, served until the test that asked for it is over. */
export async function openExampleQueue(): Promise<ExampleQueue> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-example-'))
  const queues = await openLocalQueues({ folder: join(folder, 'queues'), queues: { default: 'events.fifo' } })
  after(async () => {
    client.destroy()
    await queues.close()
    await rm(folder, { recursive: true, force: true })
  })
  const { url } = await queues.check('default')
  const client = new SQSClient({
    endpoint: queues.endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
  })
  let sent = 0
  return {
    folder,
    environment: { QUEUE_URL: url, AWS_ENDPOINT_URL_SQS: queues.endpoint },
    async send(...events) {
      // The queue would drop what it has seen: here it is the consumer who is to.
      for (const event of events)
        await queues.send('default', [
          { id: `${event.id}/${sent++}`.slice(-128), group: 'invoices', body: asciiJson(event) },
        ])
    },

    async waiting() {
      const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
      const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] })
      const { Attributes = {} } = await client.send(command)
      return names.reduce((total, name) => total + Number(Attributes[name]), 0)
    },
  }
}
