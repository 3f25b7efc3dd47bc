import { mkdirSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { buildApp } from 'fauxqs'

// The SQS server behind --local: fauxqs, its parts put together here. Its own `startFauxqs` listens on every interface of the machine,
// which would hand mail to the network, and names queues by hosts that do not resolve; both are fixed in it, so its modules are
// imported by their place in the package, which is pinned to one version.

export interface LocalServer {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string
  stop(): Promise<void>
}

/** Where the server says which one it is. */
export const INSTANCE_PATH = '/_mailsluice'

interface Queue {
  url: string
  persistence: unknown
  readonly deduplicationCache: { delete(id: string): void }
}

interface SqsStore {
  host: string
  persistence: unknown
  allQueues(): Iterable<Queue>
  getQueueByName(name: string): Queue | undefined
}

interface Persistence {
  readonly db: DatabaseSync
  loadSqsAndSns(sqs: SqsStore, sns: object): void
  insertMessage(queue: string, message: { readonly messageDeduplicationId?: string }): void
  updateMessageReady(messageId: string): void
  close(): void
}

interface Modules {
  readonly buildApp: typeof buildApp
  readonly SqsStore: new () => SqsStore
  readonly SnsStore: new () => object
  readonly S3Store: new () => object
  readonly PersistenceManager: new (folder: string) => Persistence
}

async function loadModules(): Promise<Modules> {
  const main = import.meta.resolve('fauxqs')
  const parts = ['./app.js', './sqs/sqsStore.js', './sns/snsStore.js', './s3/s3Store.js', './persistence.js']
  const loaded = (await Promise.all(parts.map((part) => import(new URL(part, main).href)))) as object[]
  return Object.assign({}, ...loaded) as Modules
}

/**
 * Serves the queues stored in `folder` on loopback. The same port as before is taken when it is free, so that URLs which consumers
 * keep stay right. Only one process at a time may do so for a folder: the caller holds the lock. At INSTANCE_PATH it answers with
 * `instance`, by which others tell it from a server of another folder that has the port now.
 */
export async function startLocalServer(
  folder: string,
  { port, instance }: { readonly port: number | undefined; readonly instance: string },
): Promise<LocalServer> {
  const { buildApp, SqsStore, SnsStore, S3Store, PersistenceManager } = await loadModules()
  const data = join(folder, 'data')
  mkdirSync(data, { recursive: true })
  const sqsStore = new SqsStore()
  // Without a host of its own it names queues by the host that was asked.
  sqsStore.host = ''
  const snsStore = new SnsStore()
  const persistence = new PersistenceManager(data)
  try {
    mend(persistence, sqsStore)
    persistence.loadSqsAndSns(sqsStore, snsStore)
  } catch (error) {
    persistence.close()
    throw error
  }
  // Only now: what is loaded is not to be written again.
  sqsStore.persistence = persistence
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence
  const stores = { sqsStore, snsStore, s3Store: new S3Store() } as never
  const app = buildApp({ logger: false, stores })
  app.addHook('preClose', () => persistence.close())
  app.addHook('onRequest', async ({ headers }, reply) => {
    if (!namesThisMachine(headers.host ?? '')) await reply.status(403).send({ error: 'not a local host' })
  })
  app.get(INSTANCE_PATH, async () => ({ instance }))

  const listen = (wanted: number): Promise<string> => app.listen({ port: wanted, host: '127.0.0.1' })
  try {
    const address = await listen(port ?? 0).catch((error: NodeJS.ErrnoException) => {
      if (port === undefined || error.code !== 'EADDRINUSE') throw error
      return listen(0)
    })
    const endpoint = new URL(address).origin
    for (const queue of sqsStore.allQueues()) queue.url = `${endpoint}${new URL(queue.url).pathname}`
    return { endpoint, stop: () => app.close() }
  } catch (error) {
    await app.close()
    throw error
  }
}

/** What fauxqs 2.4.1 gets wrong when its queues are kept on disk. */
function mend(persistence: Persistence, store: SqsStore): void {
  // ChangeMessageVisibility to 0 sets a column to NULL that must not be; the refusal comes after the message has left the one list
  // and before it is in the other, so that it is gone until a restart.
  const ready = persistence.db.prepare(
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?',
  )
  persistence.updateMessageReady = (messageId) => {
    ready.run(messageId)
  }
  // The deduplication id is remembered before the message is on the disk: when that fails (a full disk), the repeat would be dropped
  // as known, and answered as sent.
  const insert = persistence.insertMessage.bind(persistence)
  persistence.insertMessage = (queue, message) => {
    try {
      insert(queue, message)
    } catch (error) {
      if (message.messageDeduplicationId !== undefined)
        store.getQueueByName(queue)?.deduplicationCache.delete(message.messageDeduplicationId)
      throw error
    }
  }
}

/**
 * A web page may lead its own name to 127.0.0.1 and then read what is served there (DNS rebinding): its name has a dot and is
 * public. Addresses, `localhost` and names that no public zone can have are the consumer's choice.
 */
function namesThisMachine(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return isIP(name) !== 0 || !name.includes('.') || /\.(localhost|internal)$/i.test(name)
}
