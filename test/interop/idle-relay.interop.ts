import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type Bundle, bundleRelay } from '../../functions/bundle.ts'
import { encodeApplied } from '../../shared/contract/applied.ts'
import { validateConfig } from '../../shared/contract/config.ts'
import type { IdleRelayEnvironment } from '../../shared/contract/idle-relay.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { parseDrainRequest } from '../../shared/contract/messages.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import { openSqsQueues, type SqsQueues } from '../../shared/queue/sqs.ts'
import type { HealthSummary, MailboxHealth } from '../../shared/relay/health.ts'
import { shardOf } from '../../shared/relay/shard.ts'
import { openS3State } from '../../shared/state/s3.ts'
import { jsonLines } from '../support/cli.ts'
import { available, startDovecot } from '../support/dovecot.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import type { MailServer } from '../support/mail-server.ts'
import { type ParameterStore, startParameterStore } from '../support/parameter-store.ts'
import { type RunningS3, versity } from './engines/s3-engine.ts'
import { elasticmqMissing, type RunningSqs, startElasticmq } from './engines/sqs-engine.ts'
import { letter, newUser } from './mail-servers.ts'

// The relay as it is deployed, its bundle in two processes, between servers that others wrote: mailboxes on Dovecot, the applied
// configuration on Versity S3 Gateway, requests to ElasticMQ.

const missing = available() ?? (versity.binary ? undefined : versity.missing) ?? elasticmqMissing()
const [ARCHIVE, STATE] = ['mail-archive', 'mail-state']
const SHARDS = 2

interface Task {
  /** Objects that it has logged, one a line. */
  lines(): readonly Record<string, unknown>[]
  health(): Promise<HealthSummary & { readonly ok: boolean; readonly detail: readonly MailboxHealth[] }>
  /** SIGTERM, and SIGKILL ten seconds later; resolves to the exit status, null after SIGKILL. */
  stop(): Promise<number | null>
}

describe('the relay in AWS, with Dovecot, Versity S3 Gateway and ElasticMQ', {
  skip: missing ?? false,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-idle-relay-'))
  const closing: (() => unknown)[] = []
  let bundle: Bundle
  let mail: MailServer
  let s3: RunningS3
  let sqs: RunningSqs
  let parameters: ParameterStore
  let queues: SqsQueues

  before(async () => {
    ;[bundle, mail, s3, sqs] = await Promise.all([
      bundleRelay(folder),
      startDovecot(),
      versity.start(),
      startElasticmq(),
    ])
    parameters = await startParameterStore({ '/mail/password': mail.password })
    const buckets = new S3Client({ ...s3, forcePathStyle: true })
    for (const Bucket of [ARCHIVE, STATE]) await buckets.send(new CreateBucketCommand({ Bucket }))
    buckets.destroy()
    const admin = new SQSClient({ ...sqs, useQueueUrlAsEndpoint: false })
    const fifo = { FifoQueue: 'true' }
    await admin.send(new CreateQueueCommand({ QueueName: 'drain-requests.fifo', Attributes: fifo }))
    await admin.send(new CreateQueueCommand({ QueueName: 'mail-events' }))
    admin.destroy()
    queues = openSqsQueues({
      ...sqs,
      queues: { requests: 'drain-requests.fifo' },
      endpoint: async () => sqs.endpoint,
    })
  })
  after(async () => {
    for (const close of closing.reverse()) await close()
    queues?.close()
    await Promise.all([mail?.stop(), s3?.stop(), sqs?.stop(), parameters?.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  /** As `mailsluice apply` does. */
  async function apply(mailboxes: readonly object[]): Promise<void> {
    const { config, problems } = validateConfig({
      archive: { bucket: ARCHIVE },
      queues: { default: 'mail-events' },
      mailboxes,
    })
    if (!config) throw new TypeError(problems.join('\n'))
    const state = openS3State({ ...s3, bucket: STATE })
    const applied = encodeApplied({ v: 1, config, authorities: { 'ca.pem': mail.ca } })
    await state.write(MAILBOXES_KEY, Buffer.from(applied), 'any')
    state.close()
  }
  function settings(id: string, user: string, port: number = mail.ports.imaps): object {
    const access = { protocol: 'imap', host: 'localhost', port, ca: 'ca.pem', user }
    return { id, ...access, credential: 'ssm:/mail/password', idle: true }
  }

  function start(index: number, count: number = SHARDS): Task {
    const environment = {
      DEPLOYMENT: 'mailsluice',
      STATE_BUCKET: STATE,
      ARCHIVE_BUCKET: ARCHIVE,
      DRAIN_QUEUE_URL: `${sqs.endpoint}/000000000000/drain-requests.fifo`,
      SHARD_INDEX: String(index),
      SHARD_COUNT: String(count),
      HEALTH_PORT: '0',
      HEARTBEAT_FILE: join(folder, `alive-${index}`),
    } satisfies IdleRelayEnvironment
    const child = spawn(process.execPath, [join(bundle.folder, 'index.mjs')], {
      cwd: bundle.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
      // Nothing of this process: what it needs is in its environment or in its bundle.
      env: {
        ...environment,
        AWS_REGION: s3.region,
        AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
        AWS_ENDPOINT_URL_S3: s3.endpoint,
        AWS_ENDPOINT_URL_SQS: sqs.endpoint,
        AWS_ENDPOINT_URL_SSM: parameters.endpoint,
      },
    })
    let output = ''
    child.stdout.on('data', (text) => (output += text))
    const ended = once(child, 'close') as Promise<[number | null]>
    closing.push(() => child.kill('SIGKILL'))
    const lines = () => jsonLines(output.slice(0, output.lastIndexOf('\n') + 1))
    return {
      lines,
      async health() {
        const { port } = lines().find((line) => 'port' in line) ?? {}
        assert.ok(port, output)
        return (await (await fetch(`http://127.0.0.1:${port}/health`)).json()) as Awaited<
          ReturnType<Task['health']>
        >
      },
      async stop() {
        const killer = setTimeout(() => child.kill('SIGKILL'), 10_000)
        child.kill('SIGTERM')
        const [status] = await ended
        clearTimeout(killer)
        return status
      },
    }
  }

  async function whenWatched(tasks: readonly Task[], mailboxes: number): Promise<void> {
    const connected = (): number =>
      tasks.reduce(
        (sum, task) => sum + task.lines().filter(({ message }) => message === 'connected').length,
        0,
      )
    while (connected() < mailboxes) await sleep(50)
  }

  /** Mailboxes that drains were asked for, until there are so many requests, taken off the queue. */
  async function takeRequests(count: number): Promise<string[]> {
    const mailboxes: string[] = []
    while (mailboxes.length < count)
      for (const { body, remove } of await queues.receive('requests', {
        waitSeconds: 5,
        visibilitySeconds: 30,
      })) {
        mailboxes.push(parseDrainRequest(body).mailbox)
        await remove()
      }
    return mailboxes.toSorted()
  }

  test('two tasks watch six mailboxes, each its share, ask for a drain of each as mail comes, and end when they are asked to', async () => {
    const ids = Array.from({ length: 6 }, (_, number) => `mailbox-${number}`)
    const users = new Map(ids.map((id) => [id, newUser()]))
    for (const user of users.values()) await mail.put(user, 'INBOX', [letter(1)])
    await apply(ids.map((id) => settings(id, users.get(id) ?? '')))
    const tasks = Array.from({ length: SHARDS }, (_, index) => start(index))

    assert.deepEqual(await takeRequests(ids.length), ids)
    await whenWatched(tasks, ids.length)
    for (const [index, task] of tasks.entries()) {
      const { ok, watching, detail } = await task.health()
      const share = ids.filter((id) => shardOf(mailboxId(id), SHARDS) === index)
      assert.deepEqual(
        { ok, watching, mailboxes: detail.map(({ mailbox }) => mailbox) },
        { ok: true, watching: share.length, mailboxes: share },
      )
      assert.ok(share.length > 0)
      assert.ok(existsSync(join(folder, `alive-${index}`)))
    }

    for (const user of users.values()) await mail.put(user, 'INBOX', [letter(2)])
    assert.deepEqual(await takeRequests(ids.length), ids)

    assert.deepEqual(await Promise.all(tasks.map((task) => task.stop())), [0, 0])
    for (const task of tasks) assert.equal(task.lines().at(-1)?.message, 'ended in good order')
  })

  test('a list that was applied is in force without a restart, and a third task takes its share', async () => {
    const ids = Array.from({ length: 7 }, (_, number) => `mailbox-${number}`)
    const users = new Map(ids.map((id) => [id, newUser()]))
    for (const user of users.values()) await mail.put(user, 'INBOX', [letter(1)])
    const listed = (some: readonly string[]) => apply(some.map((id) => settings(id, users.get(id) ?? '')))
    await listed(ids.slice(0, 6))
    const before = Array.from({ length: SHARDS }, (_, index) => start(index))
    assert.deepEqual(await takeRequests(6), ids.slice(0, 6))

    await listed(ids.slice(1))
    // Within a minute.
    assert.deepEqual(await takeRequests(1), ids.slice(6))
    const watchedBy = async (tasks: readonly Task[]): Promise<string[]> => {
      const all = await Promise.all(tasks.map((task) => task.health()))
      return all.flatMap(({ detail }) => detail.map(({ mailbox, state }) => `${mailbox} ${state}`)).toSorted()
    }
    while ((await watchedBy(before)).some((line) => line.startsWith('mailbox-0'))) await sleep(500)

    // As a deployment does it: a task ends, and then begins with its new share.
    const after: Task[] = []
    for (const [index, task] of before.entries()) {
      assert.equal(await task.stop(), 0)
      after.push(start(index, SHARDS + 1))
    }
    after.push(start(SHARDS, SHARDS + 1))
    await whenWatched(after, 6)
    assert.deepEqual(
      await watchedBy(after),
      ids.slice(1).map((id) => `${id} watching`),
    )
    assert.deepEqual([...new Set(await takeRequests(6))], ids.slice(1))
    for (const task of after) assert.equal(await task.stop(), 0)
  })

  test('a task ends within ten seconds though a server is silent, another never greets, and a third is away', async (t) => {
    const proxy = await startFaultProxy({ port: mail.ports.imaps })
    const silent: Server = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    closing.push(
      () => proxy.close(),
      () => silent.close(),
    )
    const { port } = silent.address() as { port: number }
    const share = Array.from({ length: 20 }, (_, number) => `mailbox-${number}`).filter(
      (id) => shardOf(mailboxId(id), SHARDS) === 0,
    )
    const [well = '', frozen = '', mute = '', away = ''] = share
    await apply([
      settings(well, newUser()),
      settings(frozen, newUser(), proxy.port),
      settings(mute, newUser(), port),
      settings(away, newUser(), 1),
    ])
    const asked = once(silent, 'connection')
    const task = start(0)
    await Promise.all([whenWatched([task], 2), asked])
    proxy.freeze()

    const askedMs = performance.now()
    const status = await task.stop()

    t.diagnostic(`ended after ${Math.round(performance.now() - askedMs)} ms`)
    assert.equal(status, 0)
    assert.equal(task.lines().at(-1)?.message, 'ended in good order')
    await takeRequests(2)
  })
})
