import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { openSqsQueues, type SqsQueues } from '../../shared/queue/sqs.ts'
import { checkBundles, checkSums } from '../support/bundle-check.ts'
import { jsonLines } from '../support/cli.ts'
import { CliProcesses } from '../support/cli-process.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { digestOf, takeEvents } from '../support/stores.ts'
import { createArchiveBucket, type RunningS3, versity } from './engines/s3-engine.ts'
import { elasticmqMissing, type RunningSqs, startElasticmq } from './engines/sqs-engine.ts'

// Export and replay by the command line as a user of AWS runs it, from a bucket and to queues whose servers others wrote.

const missing = (versity.binary ? undefined : versity.missing) ?? elasticmqMissing()
const ARCHIVE = 'mail-archive'
const QUEUES = { default: 'mail-events', again: 'again-events' }
const SAMPLES = sampleMessages().map(({ octets }) => octets)
const MANY = Array.from({ length: 150 }, (_, n) =>
  Buffer.from(`From: a@x.example\r\nTo: b@x.example\r\nSubject: number ${n}\r\n\r\nHello.\r\n`),
)

describe('what a bucket of Versity S3 Gateway holds', { skip: missing ?? false }, () => {
  let s3: RunningS3
  let sqs: RunningSqs
  let queues: SqsQueues
  let cli: CliProcesses
  const at = (name: string): string => join(cli.folder, name)

  before(async () => {
    ;[s3, sqs] = await Promise.all([versity.start(), startElasticmq()])
    const buckets = new S3Client({ ...s3, forcePathStyle: true })
    await createArchiveBucket(buckets, ARCHIVE, { Mode: 'GOVERNANCE', Days: 1 })
    await buckets.send(new CreateBucketCommand({ Bucket: 'mail-state' }))
    buckets.destroy()
    const admin = new SQSClient({ ...sqs, useQueueUrlAsEndpoint: false })
    for (const QueueName of Object.values(QUEUES)) await admin.send(new CreateQueueCommand({ QueueName }))
    admin.destroy()
    queues = openSqsQueues({ ...sqs, queues: QUEUES, endpoint: async () => sqs.endpoint })
    const account = { protocol: 'imap', host: 'localhost', user: 'nobody' }
    cli = await CliProcesses.open(
      [
        { id: 'samples', ...account },
        { id: 'many', ...account },
      ],
      {
        password: 'none',
        config: {
          archive: { bucket: ARCHIVE },
          state: { bucket: 'mail-state' },
          seal: { key: 'file:seal.pem' },
          queues: QUEUES,
        },
        aws: {
          AWS_REGION: s3.region,
          AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
          AWS_ENDPOINT_URL_S3: s3.endpoint,
          AWS_ENDPOINT_URL_SQS: sqs.endpoint,
        },
      },
    )
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(at('seal.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    for (const [mailbox, messages] of [
      ['samples', SAMPLES],
      ['many', MANY],
    ] as const) {
      mkdirSync(at(mailbox))
      for (const [n, octets] of messages.entries()) writeFileSync(join(at(mailbox), `${n}.eml`), octets)
      await run('archive', 'import', mailbox, at(mailbox))
    }
    await run('ledger', 'seal')
  })

  after(async () => {
    queues?.close()
    await cli?.close()
    await Promise.all([s3?.stop(), sqs?.stop()])
  })

  /** The command must succeed. */
  async function run(...command: string[]): Promise<string> {
    const { status, stdout, stderr } = await cli.run(...command)
    assert.equal(status, 0, stderr)
    return stdout
  }

  test('leaves it as a bundle that sha256sum and openssl alone find good', async () => {
    writeFileSync(at('key.pem'), await run('ledger', 'seal', '--public-key'))
    await run('archive', 'export', '--output', at('bundle'), '--mailbox', 'samples')
    const [part, ...more] = checkBundles(at('bundle'), at('unpacked'), at('key.pem'))

    assert.deepEqual([more, part?.errors], [[], ''])
    assert.deepEqual([...(part?.messages ?? [])].sort(), SAMPLES.map((octets) => digestOf(octets)).sort())
  })

  test('leaves it as .eml files octet by octet, and as mbox', async () => {
    await run('archive', 'export', '--output', at('eml'), '--format', 'eml', '--mailbox', 'samples')
    checkSums(at('eml'))
    for (const octets of SAMPLES) {
      const digest = digestOf(octets)
      assert.ok(readFileSync(at(`eml/samples/${digest.slice(0, 2)}/${digest}.eml`)).equals(octets))
    }
    const [report] = jsonLines(
      await run('archive', 'export', '--output', at('mbox'), '--format', 'mbox', '--json'),
    )
    checkSums(at('mbox'))
    assert.deepEqual([report?.messages, report?.parts], [SAMPLES.length + MANY.length, 2])
  })

  test('is announced again to the queue that is named, marked as one replay, and nothing in a dry run', async () => {
    await run('replay', '--mailbox', 'samples', '--dry-run')
    const words = ['replay', '--mailbox', 'samples', '--queue', 'again', '--json']
    const [report] = jsonLines(await run(...words))
    const events = await takeEvents(queues, 'again')

    assert.deepEqual(report?.sent, { again: SAMPLES.length })
    assert.deepEqual(
      events.map(({ id }) => id).sort(),
      SAMPLES.map((octets) => `samples/${digestOf(octets)}`).sort(),
    )
    assert.deepEqual(new Set(events.map(({ replay }) => replay)), new Set([report?.replay]))
    assert.deepEqual(await takeEvents(queues), [])
  })

  test('is announced again to its end by a replay that is killed, with at most one batch repeated', async () => {
    const file = at('replay.json')
    const words = ['replay', '--mailbox', 'many', '--rate', '200', '--resume', file, '--json']
    const reached = (): number =>
      existsSync(file)
        ? (JSON.parse(readFileSync(file, 'utf8')) as { tally: { messages: number } }).tally.messages
        : 0
    const first = cli.start(...words)
    while (first.child.exitCode === null && reached() < 40) await sleep(5)
    first.child.kill('SIGKILL')
    assert.equal((await first.ended).signal, 'SIGKILL')
    const [report] = jsonLines(await run(...words))
    const events = await takeEvents(queues)

    assert.deepEqual([report?.messages, report?.sent], [MANY.length, { default: MANY.length }])
    assert.deepEqual(
      [...new Set(events.map(({ id }) => id))].sort(),
      MANY.map((octets) => `many/${digestOf(octets)}`).sort(),
    )
    assert.ok(events.length - MANY.length <= 10, `${events.length - MANY.length} repeats`)
    assert.deepEqual(new Set(events.map(({ replay }) => replay)), new Set([report?.replay]))
  })
})
