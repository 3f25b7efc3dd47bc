import { mkdirSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { SendMessageBatchCommandInput } from '@aws-sdk/client-sqs'
import type { buildApp } from 'fauxqs'
import { IngestError } from '../errors.ts'
import type { BatchAnswer } from './sqs.ts'

// The SQS server behind --local: fauxqs, its parts put together here. Its own `startFauxqs` listens on every interface of the machine,
// which would hand mail to the network, and names queues by hosts that do not resolve; both are fixed in it, so its modules are
// imported by their place in the package, which is pinned to one version.

export interface LocalServer {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string
  /**
   * SendMessageBatch of this process itself. Those that come in one go are one transaction: a batch sent to the endpoint waits for the disk by itself, and
   * takes ten times as long. Resolves to undefined for a batch that the server refuses: sent to the endpoint, it is told why. Rejects with
   * QUEUE_UNAVAILABLE when the events cannot be kept.
   */
  sendMessageBatch(input: SendMessageBatchCommandInput): Promise<BatchAnswer | undefined>
  stop(): Promise<void>
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

interface Modules {
  readonly SqsRouter: { readonly prototype: SqsRouter }
  readonly buildApp: typeof buildApp
  readonly SqsStore: new () => SqsStore
  readonly SnsStore: new () => object
  readonly S3Store: new () => object
  readonly PersistenceManager: new (folder: string) => Persistence
  readonly sendMessageBatch: (input: SendMessageBatchCommandInput, store: SqsStore) => BatchAnswer
  readonly SqsError: new () => Error
}

async function loadModules(): Promise<Modules> {
  const main = import.meta.resolve('fauxqs')
  const parts = [
    './app.js',
    './sqs/sqsRouter.js',
    './sqs/sqsStore.js',
    './sns/snsStore.js',
    './s3/s3Store.js',
    './persistence.js',
    './sqs/actions/sendMessageBatch.js',
    './common/errors.js',
  ]
  const loaded = (await Promise.all(parts.map((part) => import(new URL(part, main).href)))) as object[]
  const modules = Object.assign({}, ...loaded) as Modules
  batchesInOneTransaction(modules.SqsRouter.prototype)
  return modules
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

/**
 * Serves the queues stored in `folder` on loopback. The same port as before is taken when it is free, so that URLs which consumers
 * keep stay right. Only one process at a time may do so for a folder: the caller holds the lock. At INSTANCE_PATH it answers with
 * `instance`, by which others tell it from a server of another folder that has the port now.
 */
export async function startLocalServer(
  folder: string,
  { port, instance }: { readonly port: number | undefined; readonly instance: string },
): Promise<LocalServer> {
  const modules = await loadModules()
  const { buildApp, SqsStore, SnsStore, S3Store, PersistenceManager } = modules
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
    return {
      endpoint,
      sendMessageBatch: batchesTogether(modules, sqsStore, persistence),
      stop: () => app.close(),
    }
  } catch (error) {
    await app.close()
    throw error
  }
}

interface Waiting {
  readonly input: SendMessageBatchCommandInput
  resolve(answer: BatchAnswer | undefined): void
  reject(error: Error): void
}

function batchesTogether(
  { sendMessageBatch, SqsError }: Modules,
  store: SqsStore,
  persistence: Persistence,
): LocalServer['sendMessageBatch'] {
  let waiting: Waiting[] = []
  function send(): void {
    const batches = waiting
    waiting = []
    const answers: (BatchAnswer | undefined)[] = []
    try {
      persistence.transaction(() => {
        for (const { input } of batches) answers.push(answered(input))
      })
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const error = new IngestError('QUEUE_UNAVAILABLE', `the events cannot be kept: ${reason}`, { cause })
      for (const { reject } of batches) reject(error)
      return
    }
    for (const [index, { resolve }] of batches.entries()) resolve(answers[index])
  }
  /** A batch that is refused as a whole is so before anything of it is taken. */
  function answered(input: SendMessageBatchCommandInput): BatchAnswer | undefined {
    try {
      return sendMessageBatch(input, store)
    } catch (error) {
      if (error instanceof SqsError) return undefined
      throw error
    }
  }
  return (input) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ input, resolve, reject }) === 1) setImmediate(send)
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
