import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { openS3Archive, type S3Archive } from '../../shared/archive/s3.ts'
import type { MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { openSqsQueues, type SqsQueues } from '../../shared/queue/sqs.ts'
import { CliProcesses } from '../support/cli-process.ts'
import { corpus, corpusMissing } from '../support/corpus.ts'
import { available, startDovecot } from '../support/dovecot.ts'
import type { MailServer } from '../support/mail-server.ts'
import { servedByImap, servedByPop3 } from '../support/plain-clients.ts'
import { archivedOctets, assertLedgerVerifies, digestOf, takeEvents } from '../support/stores.ts'
import { createArchiveBucket, type RunningS3, versity } from './engines/s3-engine.ts'
import { elasticmqMissing, type RunningSqs, startElasticmq } from './engines/sqs-engine.ts'
import { newUser } from './mail-servers.ts'

// The whole path between servers that others wrote, by the command line as a user of AWS runs it: without --local, endpoints and keys from the
// environment.

const missing =
  available() ?? (versity.binary ? undefined : versity.missing) ?? elasticmqMissing() ?? corpusMissing()
const ARCHIVE = 'mail-archive'
const QUEUES = { default: 'mail-events', second: 'second-events' }

describe('a corpus of odd messages from Dovecot into Versity S3 Gateway and ElasticMQ', {
  skip: missing ?? false,
}, () => {
  let mail: MailServer
  let s3: RunningS3
  let sqs: RunningSqs
  let archive: S3Archive
  let queues: SqsQueues

  before(async () => {
    ;[mail, s3, sqs] = await Promise.all([startDovecot(), versity.start(), startElasticmq()])
    const buckets = new S3Client({ ...s3, forcePathStyle: true })
    await createArchiveBucket(buckets, ARCHIVE, { Mode: 'COMPLIANCE', Days: 1 })
    await buckets.send(new CreateBucketCommand({ Bucket: 'mail-state' }))
    buckets.destroy()
    const admin = new SQSClient({ ...sqs, useQueueUrlAsEndpoint: false })
    for (const QueueName of Object.values(QUEUES)) await admin.send(new CreateQueueCommand({ QueueName }))
    admin.destroy()
    archive = openS3Archive({ ...s3, bucket: ARCHIVE })
    queues = openSqsQueues({ ...sqs, queues: QUEUES, endpoint: async () => sqs.endpoint })
  })

  after(async () => {
    archive?.close()
    queues?.close()
    await Promise.all([mail?.stop(), s3?.stop(), sqs?.stop()])
  })

  for (const protocol of ['imap', 'pop3'] as const)
    test(`over ${protocol}: archived under lock as the server serves it, announced once, verified`, async (t) => {
      const mailbox = `corpus-${protocol}` as MailboxId
      const user = newUser()
      const files = corpus().map(({ octets }) => octets.toString('latin1').replaceAll('\r\n', '\n'))
      await mail.put(
        user,
        'INBOX',
        files.map((text) => Buffer.from(text, 'latin1')),
      )
      const served =
        protocol === 'imap'
          ? (await servedByImap(mail, user)).map(({ octets }) => octets)
          : await servedByPop3(mail, user)
      const distinct = new Map(served.map((octets) => [digestOf(octets), octets]))
      const port = mail.ports[`${protocol}s`]
      const account = { id: mailbox, protocol, host: 'localhost', port, user, ca: 'ca.pem' }
      const cli = await CliProcesses.open([account], {
        password: mail.password,
        ca: mail.ca,
        config: { archive: { bucket: ARCHIVE }, state: { bucket: 'mail-state' }, queues: QUEUES },
        aws: {
          AWS_REGION: s3.region,
          AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
          AWS_ENDPOINT_URL_S3: s3.endpoint,
          AWS_ENDPOINT_URL_SQS: sqs.endpoint,
        },
      })
      try {
        const checked = await cli.run('check')
        assert.equal(checked.status, 0, checked.stderr)

        const drained = await cli.run('drain', '--json')

        assert.equal(drained.status, 0, drained.stderr)
        const { announced, duplicates, elapsedMs } = JSON.parse(drained.stdout)
        assert.deepEqual([announced, duplicates], [distinct.size, files.length - distinct.size])
        t.diagnostic(`${distinct.size} messages in ${elapsedMs} ms`)
        const events = await takeEvents(queues)
        assert.deepEqual(
          events.map(({ id }) => id).sort(),
          [...distinct.keys()].map((digest) => `${mailbox}/${digest}`).sort(),
        )
        for (const [digest, octets] of distinct)
          assert.ok((await archivedOctets(mailbox, digest as Sha256, archive)).equals(octets), digest)
        const { messages } = await assertLedgerVerifies(mailbox, archive)
        assert.equal(messages, distinct.size)
        const verified = await cli.run('ledger', 'verify')
        assert.equal(verified.status, 0, verified.stderr)

        const again = await cli.run('drain', '--json')
        const second = JSON.parse(again.stdout)
        assert.deepEqual([second.octets, second.segments], [0, 0])
        assert.deepEqual(await takeEvents(queues), [])
      } finally {
        await cli.close()
      }
    })
})
