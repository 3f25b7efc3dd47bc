import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { buildApp } from 'fauxqs'

// The SQS server behind --local: fauxqs, its parts put together here. Its own `startFauxqs` listens on every interface of the machine,
// which would hand mail to the network, and names queues by hosts that do not resolve; both are fixed in it, so its modules are
// imported by their place in the package, which is pinned to one version.

export interface LocalServer {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string
  stop(): Promise<void>
}

interface Queue {
  url: string
  persistence: unknown
}

interface SqsStore {
  host: string
  persistence: unknown
  allQueues(): Iterable<Queue>
}

interface Modules {
  readonly buildApp: typeof buildApp
  readonly SqsStore: new () => SqsStore
  readonly SnsStore: new () => object
  readonly S3Store: new () => object
  readonly PersistenceManager: new (
    folder: string,
  ) => { loadSqsAndSns(sqs: SqsStore, sns: object): void; close(): void }
}

async function loadModules(): Promise<Modules> {
  const main = import.meta.resolve('fauxqs')
  const parts = ['./app.js', './sqs/sqsStore.js', './sns/snsStore.js', './s3/s3Store.js', './persistence.js']
  const loaded = (await Promise.all(parts.map((part) => import(new URL(part, main).href)))) as object[]
  return Object.assign({}, ...loaded) as Modules
}

/**
 * Serves the queues stored in `folder` on loopback. The same port as before is taken when it is free, so that URLs which consumers
 * keep stay right. Only one process at a time may do so for a folder: the caller holds the lock.
 */
export async function startLocalServer(folder: string, port: number | undefined): Promise<LocalServer> {
  const { buildApp, SqsStore, SnsStore, S3Store, PersistenceManager } = await loadModules()
  const data = join(folder, 'data')
  mkdirSync(data, { recursive: true })
  const sqsStore = new SqsStore()
  // Without a host of its own it names queues by the host that was asked.
  sqsStore.host = ''
  const snsStore = new SnsStore()
  const persistence = new PersistenceManager(data)
  persistence.loadSqsAndSns(sqsStore, snsStore)
  // Only now: what is loaded is not to be written again.
  sqsStore.persistence = persistence
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence
  const stores = { sqsStore, snsStore, s3Store: new S3Store() } as never
  const app = buildApp({ logger: false, stores })
  app.addHook('preClose', () => persistence.close())

  const listen = (wanted: number): Promise<string> => app.listen({ port: wanted, host: '127.0.0.1' })
  const address = await listen(port ?? 0).catch((error: NodeJS.ErrnoException) => {
    if (port === undefined || error.code !== 'EADDRINUSE') throw error
    return listen(0)
  })
  const endpoint = new URL(address).origin
  for (const queue of sqsStore.allQueues()) queue.url = `${endpoint}${new URL(queue.url).pathname}`
  return {
    endpoint,
    async stop() {
      await app.close()
    },
  }
}
