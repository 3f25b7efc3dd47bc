import { mkdirSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { buildApp } from 'fauxqs'
import { type BatchAnswer, type BatchEntry, entriesOf, eventBatches, refusalsIn } from './batches.ts'
import type { OutgoingEvent, SendResult } from './queue.ts'

// The SQS server behind --local: fauxqs, its parts put together here. Its own `startFauxqs` listens on every interface of the machine,
// which would hand mail to the network, and names queues by hosts that do not resolve; both are fixed in it, so its modules are
// imported by their place in the package, which is pinned to one version. Those that speak HTTP are as many again, and loaded when somebody is to be spoken to.

export interface LocalServer {
  /** One that is there already stays as it is (CreateQueue). Throws what the server refuses it with. */
  createQueue(name: string): void
  /**
   * What this process itself sends. All that comes in one go is one transaction: a request waits for the disk by itself, and takes ten times as long.
   * What cannot be kept is refused. Resolves to undefined for a queue that is not there any more: sent to the endpoint, it is told so.
   */
  send(queue: LocalQueue, events: readonly OutgoingEvent[]): Promise<SendResult[] | undefined>
  /**
   * Serves the queues on loopback, and resolves to `http://127.0.0.1:PORT`. The same port as before is taken when it is free, so that URLs
   * which consumers keep stay right. At INSTANCE_PATH it answers with `instance`, by which others tell it from a server of another folder that has the
   * port now. Once.
   */
  listen(options: { readonly port: number | undefined; readonly instance: string }): Promise<string>
  stop(): Promise<void>
}

export interface LocalQueue {
  readonly name: string
  /** Begins what is said of it. */
  readonly where: string
}

/** Where the server says which one it is. */
export const INSTANCE_PATH = '/_mailsluice'

interface Queue {
  url: string
  persistence: Persistence | undefined
  readonly deduplicationCache: { delete(id: string): void }
}

interface StoredMessage {
  readonly messageDeduplicationId?: string
}

interface SqsStore {
  host: string
  persistence: Persistence | undefined
  allQueues(): Iterable<Queue>
  getQueueByName(name: string): Queue | undefined
  shutdown(): void
}

interface Persistence {
  readonly db: DatabaseSync
  loadSqsAndSns(sqs: SqsStore, sns: object): void
  insertMessage(queue: string, message: StoredMessage): void
  updateMessageReady(messageId: string): void
  transaction(work: () => void): void
  close(): void
}

type Handler = (body: unknown, store: SqsStore, request: unknown) => unknown

interface SqsRouter {
  register(action: string, handler: Handler): void
}

interface StoreModules {
  readonly SqsStore: new () => SqsStore
  readonly SnsStore: new () => object
  readonly PersistenceManager: new (folder: string) => Persistence
  readonly createQueue: Handler
  readonly sendMessageBatch: (
    input: { readonly QueueUrl: string; readonly Entries: readonly BatchEntry[] },
    store: SqsStore,
    request: undefined,
  ) => BatchAnswer
  readonly SqsError: new () => Error
}

interface ServerModules {
  readonly SqsRouter: { readonly prototype: SqsRouter }
  readonly buildApp: typeof buildApp
  readonly S3Store: new () => object
}

const STORE_PARTS = [
  './sqs/sqsStore.js',
  './sns/snsStore.js',
  './persistence.js',
  './sqs/actions/createQueue.js',
  './sqs/actions/sendMessageBatch.js',
  './common/errors.js',
]
const SERVER_PARTS = ['./app.js', './sqs/sqsRouter.js', './s3/s3Store.js']

async function load<Modules>(parts: readonly string[]): Promise<Modules> {
  const main = import.meta.resolve('fauxqs')
  const loaded = (await Promise.all(parts.map((part) => import(new URL(part, main).href)))) as object[]
  return Object.assign({}, ...loaded) as Modules
}

/** Of a process: the handlers of batches, once they were told to be transactions. */
let registerInTransactions: SqsRouter['register'] | undefined

/**
 * fauxqs 2.4.1 brings each message of a batch to the disk by itself, and waits for it: 1.5 ms each, in which this process does nothing else.
 * A batch is one transaction here: all of it is on the disk when it is answered, or none and the answer is an error.
 */
function batchesInOneTransaction(router: SqsRouter): void {
  if (router.register === registerInTransactions) return
  const { register } = router
  registerInTransactions = function (this: SqsRouter, action, handler) {
    if (action !== 'SendMessageBatch' && action !== 'DeleteMessageBatch')
      return register.call(this, action, handler)
    return register.call(this, action, (body, store, request) => {
      let answer: unknown
      ;(store.persistence as Persistence).transaction(() => {
        answer = handler(body, store, request)
      })
      return answer
    })
  }
  router.register = registerInTransactions
}

/** Opens the queues stored in `folder`. Only one process at a time may do so: the caller holds the lock, and stops the server. */
export async function openLocalServer(folder: string): Promise<LocalServer> {
  const modules = await load<StoreModules>(STORE_PARTS)
  const { SqsStore, SnsStore, PersistenceManager } = modules
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
  let host = '127.0.0.1'
  let stop = async (): Promise<void> => {
    sqsStore.shutdown()
    persistence.close()
  }
  return {
    createQueue(name) {
      modules.createQueue({ QueueName: name }, sqsStore, { headers: { host } })
    },
    send: sendTogether(modules, sqsStore, persistence),
    async listen(options) {
      const { app, listening } = await serve({ sqsStore, snsStore }, options)
      app.addHook('preClose', () => persistence.close())
      stop = () => app.close()
      const address = await listening()
      ;({ host } = new URL(address))
      for (const queue of sqsStore.allQueues()) queue.url = `http://${host}${new URL(queue.url).pathname}`
      return new URL(address).origin
    },
    stop: () => stop(),
  }
}

async function serve(
  stores: { readonly sqsStore: SqsStore; readonly snsStore: object },
  { port, instance }: { readonly port: number | undefined; readonly instance: string },
) {
  const { buildApp, SqsRouter, S3Store } = await load<ServerModules>(SERVER_PARTS)
  batchesInOneTransaction(SqsRouter.prototype)
  const app = buildApp({ logger: false, stores: { ...stores, s3Store: new S3Store() } as never })
  app.addHook('onRequest', async ({ headers }, reply) => {
    if (!namesThisMachine(headers.host ?? '')) await reply.status(403).send({ error: 'not a local host' })
  })
  app.get(INSTANCE_PATH, async () => ({ instance }))
  const listen = (wanted: number): Promise<string> => app.listen({ port: wanted, host: '127.0.0.1' })
  const listening = (): Promise<string> =>
    listen(port ?? 0).catch((error: NodeJS.ErrnoException) => {
      if (port === undefined || error.code !== 'EADDRINUSE') throw error
      return listen(0)
    })
  return { app, listening }
}

interface Waiting {
  readonly queue: LocalQueue
  readonly events: readonly OutgoingEvent[]
  resolve(results: SendResult[] | undefined): void
}

function sendTogether(
  { sendMessageBatch, SqsError }: StoreModules,
  store: SqsStore,
  persistence: Persistence,
): LocalServer['send'] {
  let waiting: Waiting[] = []
  function send(): void {
    const sending = waiting
    waiting = []
    let results: (SendResult[] | undefined)[] = []
    try {
      persistence.transaction(() => {
        results = sending.map(({ queue, events }) => sent(queue, events))
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      results = sending.map(({ queue: { where }, events }) =>
        events.map(() => ({ sent: false, refused: `${where}: the events cannot be kept: ${reason}` })),
      )
    }
    for (const [index, { resolve }] of sending.entries()) resolve(results[index])
  }
  function sent(queue: LocalQueue, events: readonly OutgoingEvent[]): SendResult[] | undefined {
    const url = store.getQueueByName(queue.name)?.url
    if (url === undefined) return undefined
    return eventBatches(events, (event) => event).flatMap((batch) => taken(queue, url, batch))
  }
  function taken(queue: LocalQueue, QueueUrl: string, batch: readonly OutgoingEvent[]): SendResult[] {
    const { name, where } = queue
    try {
      const input = { QueueUrl, Entries: entriesOf(batch, name.endsWith('.fifo')) }
      const refusals = refusalsIn(sendMessageBatch(input, store, undefined), batch.length, where)
      return batch.map((_, index) => {
        const refusal = refusals.get(index)
        return refusal ? { sent: false, refused: refusal.reason } : { sent: true }
      })
    } catch (error) {
      // A batch is refused as a whole before anything of it is taken. A bad event keeps back no other.
      if (!(error instanceof SqsError)) throw error
      if (batch.length > 1) return batch.flatMap((event) => taken(queue, QueueUrl, [event]))
      return [{ sent: false, refused: `${where}: ${error.message}` }]
    }
  }
  return (queue, events) =>
    new Promise((resolve) => {
      if (waiting.push({ queue, events, resolve }) === 1) setImmediate(send)
    })
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
  // Deduplication ids are remembered before their messages are on the disk: when that fails (a full disk), a repeat would be dropped as
  // known, and answered as sent.
  const remembered: (readonly [queue: string, id: string])[] = []
  const forget = (): void => {
    for (const [queue, id] of remembered) store.getQueueByName(queue)?.deduplicationCache.delete(id)
  }
  const insert = persistence.insertMessage.bind(persistence)
  persistence.insertMessage = (queue, message) => {
    if (message.messageDeduplicationId !== undefined) remembered.push([queue, message.messageDeduplicationId])
    if (persistence.db.isTransaction) return insert(queue, message)
    orForget(() => insert(queue, message))
  }
  const transaction = persistence.transaction.bind(persistence)
  persistence.transaction = (work) => orForget(() => transaction(work))

  function orForget(work: () => void): void {
    try {
      work()
    } catch (error) {
      forget()
      throw error
    } finally {
      remembered.length = 0
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
