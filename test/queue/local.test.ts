import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LOCAL_CREDENTIALS, LOCAL_REGION, openLocalQueues } from '../../shared/queue/local.ts'
import { openSqsQueues } from '../../shared/queue/sqs.ts'
import { queueContract } from '../contract/queue.ts'

queueContract(
  'local queues',
  async (queues) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-queues-'))
    const opened = await openLocalQueues({ folder: join(folder, 'made', 'on the way'), queues })
    return {
      queues: opened,
      async close() {
        await opened.close()
        await rm(folder, { recursive: true })
      },
    }
  },
  {
    'missing queues': 'it makes those that are configured',
    'several of one group at once': 'fauxqs gives one of a group',
  },
)

queueContract(
  'SQS on the local server',
  async (there, missing) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-queues-'))
    const server = await openLocalQueues({ folder, queues: there })
    // As a consumer in another program has them: by URL.
    const urls = await Promise.all(
      Object.keys(there).map(async (name) => [name, (await server.check(name)).url] as const),
    )
    const queues = openSqsQueues({
      queues: { ...Object.fromEntries(urls), ...missing },
      region: LOCAL_REGION,
      credentials: LOCAL_CREDENTIALS,
      endpoint: async () => server.endpoint,
    })
    return {
      queues,
      async close() {
        queues.close()
        await server.close()
        await rm(folder, { recursive: true })
      },
    }
  },
  { 'several of one group at once': 'fauxqs gives one of a group' },
)
