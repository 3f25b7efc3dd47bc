import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { parseSqsAddress } from '../contract/queue-address.ts'
import { IngestError } from '../errors.ts'
import { QUEUE } from '../limits.ts'
import { isDamaged, lockFolder } from './folder-lock.ts'
import { INSTANCE_PATH, type LocalServer, startLocalServer } from './local-server.ts'
import type { EventQueues } from './queue.ts'
import { openSqsQueues } from './sqs.ts'

/** What any AWS SDK needs besides the endpoint; the server accepts everybody who reaches loopback. */
export const LOCAL_REGION = 'us-east-1'
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' } as const

/** Between two looks whether the process that serves the folder has come up or gone. */
const LOOK_MS = 50

export interface LocalQueues extends EventQueues {
  /** Where the queues are served now: `http://127.0.0.1:PORT`. */
  readonly endpoint: string
  /** May be called twice. */
  close(): Promise<void>
}

interface Served {
  readonly endpoint: string
  /** Undefined when another process serves. */
  readonly server: LocalServer | undefined
}

/**
 * The queues of one machine: a real SQS protocol on loopback, its messages in `folder`, kept over restarts and SIGKILL (but the
 * deduplication window of FIFO queues is not). Queues that the configuration names by URL or ARN are here under their name.
 *
 * One process at a time serves a folder, the others use its endpoint; when it ends the next one that needs the queues takes over.
 * Rejects with QUEUE_UNAVAILABLE when that fails. The caller closes it.
 */
export async function openLocalQueues(options: {
  readonly folder: string
  readonly queues: Readonly<Record<string, string>>
}): Promise<LocalQueues> {
  const { folder } = options
  const names = Object.fromEntries(
    Object.entries(options.queues).map(([key, address]) => [key, parseSqsAddress(address)?.name ?? address]),
  )
  let served = await serveOrJoin(folder)
  let moving: Promise<void> | undefined
  let closing: Promise<void> | undefined
  const queues = openSqsQueues({
    queues: names,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    endpoint: async () => served.endpoint,
    inProcess: async (input) => served.server?.sendMessageBatch(input),
    // Many requests find the server gone at the same time; one looks for the next.
    reconnect: () => {
      moving ??= (async () => {
        if (!served.server && !closing) served = await serveOrJoin(folder)
      })().finally(() => {
        moving = undefined
      })
      return moving
    },
  })
  try {
    await createQueues(served.endpoint, Object.values(names))
  } catch (error) {
    queues.close()
    await served.server?.stop()
    throw error
  }
  return {
    ...queues,
    get endpoint() {
      return served.endpoint
    },
    close() {
      closing ??= (async () => {
        queues.close()
        // Who is about to take over would serve for ever.
        await moving?.catch(() => undefined)
        await served.server?.stop()
      })()
      return closing
    },
  }
}

/** What endpoint.json says: where the folder is served, or was last. */
interface Endpoint {
  readonly endpoint: string
  readonly instance: string
}

async function serveOrJoin(folder: string): Promise<Served> {
  const file = join(folder, 'endpoint.json')
  const until = performance.now() + QUEUE.localStartMs
  do {
    const lock = take(folder)
    if (lock) return serve(folder, file, lock)
    const told = readEndpoint(file)
    if (told && (await answers(told))) return { endpoint: told.endpoint, server: undefined }
    await sleep(LOOK_MS)
  } while (performance.now() < until)
  throw new IngestError(
    'QUEUE_UNAVAILABLE',
    `another process holds the queues in ${folder} and does not answer`,
  )
}

async function serve(folder: string, file: string, lock: { release(): void }): Promise<Served> {
  try {
    const instance = randomUUID()
    const server = await startLocalServer(folder, { port: portOf(readEndpoint(file)), instance })
    const { endpoint } = server
    await writeFile(file, JSON.stringify({ endpoint, instance } satisfies Endpoint))
    return { endpoint, server: { ...server, stop: () => server.stop().finally(() => lock.release()) } }
  } catch (cause) {
    lock.release()
    throw unusable(folder, cause)
  }
}

function take(folder: string): ReturnType<typeof lockFolder> {
  try {
    return lockFolder(folder)
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

/** Nothing can be served from there: no folder can be, it may not be written, or its database is damaged. */
function unusable(folder: string, cause: unknown): IngestError {
  const damaged = isDamaged(cause)
    ? '; the database of the queues is damaged: move the folder away and events that nobody received are lost, yet every message is archived'
    : ''
  return new IngestError(
    'QUEUE_UNAVAILABLE',
    `cannot serve the queues in ${folder}: ${reason(cause)}${damaged}`,
    { cause },
  )
}

/** Creating a queue that is there already changes nothing (CreateQueue). */
async function createQueues(endpoint: string, names: readonly string[]): Promise<void> {
  const client = new SQSClient({ endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS })
  try {
    for (const QueueName of names)
      await client.send(
        new CreateQueueCommand({
          QueueName,
          ...(QueueName.endsWith('.fifo') ? { Attributes: { FifoQueue: 'true' } } : {}),
        }),
      )
  } catch (cause) {
    throw new IngestError('QUEUE_UNAVAILABLE', `cannot create the queues at ${endpoint}: ${reason(cause)}`, {
      cause,
    })
  } finally {
    client.destroy()
  }
}

/** Undefined while it is not there, or is half written by a process that is starting: asked again then. */
function readEndpoint(file: string): Endpoint | undefined {
  try {
    const { endpoint, instance } = JSON.parse(readFileSync(file, 'utf8')) as Partial<
      Record<keyof Endpoint, unknown>
    >
    if (typeof endpoint !== 'string' || typeof instance !== 'string' || !URL.canParse(endpoint))
      return undefined
    return { endpoint, instance }
  } catch {
    return undefined
  }
}

function portOf(told: Endpoint | undefined): number | undefined {
  return told === undefined ? undefined : Number(new URL(told.endpoint).port) || undefined
}

/** Whether the server of this folder is there, and not another one that has its port now. */
async function answers({ endpoint, instance }: Endpoint): Promise<boolean> {
  try {
    const answer = await fetch(new URL(INSTANCE_PATH, endpoint), { signal: AbortSignal.timeout(1000) })
    return ((await answer.json()) as { instance?: unknown }).instance === instance
  } catch {
    return false
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
