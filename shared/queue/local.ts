import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseSqsAddress } from '../contract/queue-address.ts'
import { IngestError } from '../errors.ts'
import { QUEUE } from '../limits.ts'
import { isDamaged, lockFolder } from './folder-lock.ts'
import { INSTANCE_PATH, type LocalServer, openLocalServer } from './local-server.ts'
import type { EventQueues } from './queue.ts'
import type { SqsQueues } from './sqs.ts'

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

/** The server of another process, or our own. */
interface Served {
  readonly own: (Pick<LocalServer, 'createQueue' | 'send'> & { stop(): Promise<void> }) | undefined
  /** Where it is reached; our own begins to listen with the first call. */
  listening(): Promise<string>
  /** Undefined before it listens. */
  endpoint(): string | undefined
}

/**
 * The queues of one machine: a real SQS protocol on loopback, its messages in `folder`, kept over restarts and SIGKILL (but the
 * deduplication window of FIFO queues is not). Queues that the configuration names by URL or ARN are here under their name.
 *
 * One process at a time serves a folder, the others use its endpoint; when it ends the next one that needs the queues takes over. With
 * `listenAfterMs` others have to wait for so long, or until the endpoint is needed here, and `endpoint` must not be asked for before.
 * Rejects with QUEUE_UNAVAILABLE when that fails. The caller closes it.
 */
export async function openLocalQueues({
  folder,
  queues,
  listenAfterMs,
}: {
  readonly folder: string
  readonly queues: Readonly<Record<string, string>>
  /** @default it listens before this resolves */
  readonly listenAfterMs?: number
}): Promise<LocalQueues> {
  const names = new Map(
    Object.entries(queues).map(([key, address]) => [key, parseSqsAddress(address)?.name ?? address]),
  )
  let served = await serveOrJoin(folder)
  let soon: NodeJS.Timeout | undefined
  let moving: Promise<void> | undefined
  let closing: Promise<void> | undefined
  let requesting: Promise<SqsQueues> | undefined

  /** Only what is sent from here to our own server goes without requests. */
  const requests = (): Promise<SqsQueues> => {
    requesting ??= import('./sqs.ts').then(({ openSqsQueues }) =>
      openSqsQueues({
        queues: Object.fromEntries(names),
        region: LOCAL_REGION,
        credentials: LOCAL_CREDENTIALS,
        endpoint: () => served.listening(),
        // Many requests find the server gone at the same time; one looks for the next.
        reconnect: () => {
          moving ??= (async () => {
            if (!served.own && !closing) served = await serveOrJoin(folder)
          })().finally(() => {
            moving = undefined
          })
          return moving
        },
      }),
    )
    return requesting
  }

  const close = async (): Promise<void> => {
    clearTimeout(soon)
    const requested = await requesting
    requested?.close()
    // Who is about to take over would serve for ever.
    await moving?.catch(() => undefined)
    await served.own?.stop()
  }

  try {
    await createQueues(served, [...names.values()])
    if (listenAfterMs === undefined) await served.listening()
    else soon = setTimeout(() => void served.listening().catch(() => undefined), listenAfterMs).unref()
  } catch (error) {
    await close()
    throw error
  }
  return {
    async send(queue, events) {
      const name = names.get(queue)
      const sent =
        name === undefined ? undefined : await served.own?.send({ name, where: `queue ${queue}` }, events)
      return sent ?? (await requests()).send(queue, events)
    },
    receive: async (queue, options) => (await requests()).receive(queue, options),
    check: async (queue) => (await requests()).check(queue),
    get endpoint() {
      const endpoint = served.endpoint()
      if (endpoint === undefined) throw new TypeError('the queues are not served yet')
      return endpoint
    },
    close() {
      closing ??= close()
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
    if (told && (await answers(told))) return elsewhere(told.endpoint)
    await sleep(LOOK_MS)
  } while (performance.now() < until)
  throw new IngestError(
    'QUEUE_UNAVAILABLE',
    `another process holds the queues in ${folder} and does not answer`,
  )
}

function elsewhere(endpoint: string): Served {
  return { own: undefined, listening: async () => endpoint, endpoint: () => endpoint }
}

async function serve(folder: string, file: string, lock: { release(): void }): Promise<Served> {
  let server: LocalServer
  try {
    server = await openLocalServer(folder)
  } catch (cause) {
    lock.release()
    throw unusable(folder, cause)
  }
  let endpoint: string | undefined
  let listening: Promise<string> | undefined
  let stopped = false
  async function listen(): Promise<string> {
    // What is on its way when they are closed may ask all the same.
    if (stopped) throw new IngestError('QUEUE_UNAVAILABLE', `the queues in ${folder} were closed`)
    try {
      const instance = randomUUID()
      endpoint = await server.listen({ port: portOf(readEndpoint(file)), instance })
      await writeFile(file, JSON.stringify({ endpoint, instance } satisfies Endpoint))
      return endpoint
    } catch (cause) {
      throw unusable(folder, cause)
    }
  }
  return {
    own: {
      ...server,
      async stop() {
        stopped = true
        await listening?.catch(() => undefined)
        await server.stop().finally(() => lock.release())
      },
    },
    listening: () => {
      listening ??= listen()
      return listening
    },
    endpoint: () => endpoint,
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
async function createQueues({ own, listening }: Served, names: readonly string[]): Promise<void> {
  try {
    if (own) for (const name of names) own.createQueue(name)
    else await requestQueues(await listening(), names)
  } catch (cause) {
    throw new IngestError('QUEUE_UNAVAILABLE', `cannot create the queues: ${reason(cause)}`, { cause })
  }
}

async function requestQueues(endpoint: string, names: readonly string[]): Promise<void> {
  const { CreateQueueCommand, SQSClient } = await import('@aws-sdk/client-sqs')
  const client = new SQSClient({ endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS })
  try {
    for (const QueueName of names) {
      const Attributes = QueueName.endsWith('.fifo') ? { FifoQueue: 'true' } : undefined
      await client.send(new CreateQueueCommand({ QueueName, Attributes }))
    }
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
