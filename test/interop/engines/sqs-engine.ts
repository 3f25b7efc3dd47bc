import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CACHE, onPath, type RunningEngine, startEngine } from './engine-process.ts'

// An SQS server that others wrote: ElasticMQ, fetched by test/interop/install-sqs-engine.sh.

/** As in install-sqs-engine.sh. */
const VERSION = '1.7.1'
const JARS = process.env.MAILSLUICE_ELASTICMQ ?? join(CACHE, `elasticmq-${VERSION}`)

export interface RunningSqs extends RunningEngine {
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

export const ELASTICMQ = 'ElasticMQ'

/** Why its tests are left out, and what to do about it; undefined when they can run. */
export function elasticmqMissing(): string | undefined {
  if (!existsSync(JARS))
    return 'not found at MAILSLUICE_ELASTICMQ or in the cache: run test/interop/install-sqs-engine.sh'
  const java = onPath('java')
  if (!java) return 'no java on PATH'
  return spawnSync(java, ['-version']).status === 0 ? undefined : `${java} does not run`
}

/** Queues in memory, with the limits of SQS. */
export async function startElasticmq(): Promise<RunningSqs> {
  const engine = await startEngine('sqs', async (port, folder) => {
    const file = join(folder, 'elasticmq.conf')
    await writeFile(file, configuration(port))
    return {
      command: 'java',
      args: [
        '-Xmx256m',
        '-XX:TieredStopAtLevel=1',
        `-Dconfig.file=${file}`,
        '-cp',
        join(JARS, '*'),
        'org.elasticmq.server.Main',
      ],
    }
  })
  return {
    ...engine,
    region: 'us-east-1',
    credentials: { accessKeyId: 'interop', secretAccessKey: 'interop' },
  }
}

/** It goes on naming queues by `localhost:9324`, as it does when nobody tells it its address: nobody is to follow that. */
function configuration(port: number): string {
  return `
include classpath("application.conf")
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${port}, sqs-limits = strict }
rest-stats { enabled = false }
aws { region = us-east-1, accountId = 000000000000 }
queues-storage { enabled = false }
messages-storage { enabled = false }
`
}
