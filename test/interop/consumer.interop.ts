import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  CreateBucketCommand,
  GetObjectLegalHoldCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { CreateQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { openAttachment, openRaw } from '../../shared/consumer/objects.ts'
import { openS3Objects, openS3State } from '../../shared/consumer/s3.ts'
import { rememberEvents } from '../../shared/consumer/seen.ts'
import { consumeQueue } from '../../shared/consumer/sqs.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { openExampleQueue, runExample } from '../support/examples.ts'
import { archivedEvent } from '../support/recorded-events.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { type RunningS3, versity } from './engines/s3-engine.ts'
import { ELASTICMQ, elasticmqMissing, type RunningSqs, startElasticmq } from './engines/sqs-engine.ts'

// The consumer kit on servers that others wrote.

const ARCHIVE = 'mail-archive'
const STATE = 'consumer-state'

if (versity.binary) onBuckets()
else test(`a consumer on ${versity.name}`, { skip: versity.missing }, () => {})

const missing = elasticmqMissing()
if (missing === undefined) onQueues()
else test(`a consumer on ${ELASTICMQ}`, { skip: missing }, () => {})

function onBuckets(): void {
  describe(`a consumer on ${versity.name}`, () => {
    let running: RunningS3
    let client: S3Client
    before(async () => {
      running = await versity.start()
      client = new S3Client({ ...running, forcePathStyle: true })
      await client.send(new CreateBucketCommand({ Bucket: ARCHIVE, ObjectLockEnabledForBucket: true }))
      await client.send(new CreateBucketCommand({ Bucket: STATE }))
    })
    after(async () => {
      client.destroy()
      await running.stop()
    })

    test('reads the version of a message that the event names, and its attachments by their place in it', async () => {
      const sample = sampleMessages().find(({ name }) => name === 'invoice')
      assert.ok(sample)
      const key = 'raw/invoices/aa/x.eml'
      const put = (Body: Buffer | string) =>
        client.send(new PutObjectCommand({ Bucket: ARCHIVE, Key: key, Body }))
      const { VersionId: versionId } = await put(sample.octets)
      await put('a newer version')
      assert.ok(versionId)
      const sha256 = createHash('sha256').update(sample.octets).digest('hex')
      const raw = { uri: `s3://${ARCHIVE}/${key}`, key, versionId, sha256, octets: sample.octets.length }
      const open = openS3Objects(client)

      const octets = Buffer.concat(await (await openRaw({ raw }, open)).toArray())
      assert.deepEqual(octets, sample.octets)
      const { attachments } = await parseMessage(sample.octets)
      assert.ok(attachments.length > 0)
      for (const attachment of attachments) {
        const decoded = Buffer.concat(await (await openAttachment({ raw }, attachment, open)).toArray())
        assert.equal(createHash('sha256').update(decoded).digest('hex'), attachment.sha256)
      }
      const { versionId: _, ...unversioned } = raw
      const newest = await openRaw({ raw: unversioned }, open)
      await assert.rejects(newest.toArray(), { code: 'ARCHIVE_UNAVAILABLE' })
    })

    test('of a legal hold sets it on the version that the event names, in the archive of a case system of its own', async () => {
      const key = 'raw/invoices/bb/held.eml'
      const put = new PutObjectCommand({ Bucket: ARCHIVE, Key: key, Body: 'x' })
      const { VersionId: versionId } = await client.send(put)
      assert.ok(versionId)
      const event = archivedEvent('plain')
      const raw = { ...event.data.raw, bucket: ARCHIVE, key, versionId }
      const queue = await openExampleQueue()
      const held = { ...event, data: { ...event.data, raw } }
      await queue.send(held)
      const CASES = join(queue.folder, 'cases.json')
      const custodians = event.data.message.from.map(({ address }) => address)
      writeFileSync(CASES, JSON.stringify([{ name: 'case', custodians }]))

      await runExample('legal-hold', {
        ...queue.environment,
        AWS_ENDPOINT_URL_S3: running.endpoint,
        AWS_ACCESS_KEY_ID: running.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: running.credentials.secretAccessKey,
        CASES,
        FOLDER: join(queue.folder, 'cases'),
      })

      const asked = new GetObjectLegalHoldCommand({ Bucket: ARCHIVE, Key: key, VersionId: versionId })
      assert.equal((await client.send(asked)).LegalHold?.Status, 'ON')
      assert.equal(await queue.waiting(), 0)
    })

    test('claims an event once, of many who ask at the same time, and remembers that it is done', async () => {
      const state = openS3State({ ...running, bucket: STATE, forcePathStyle: true })
      const seen = rememberEvents(state, { consumer: 'invoices' })
      const claims = await Promise.all(Array.from({ length: 10 }, () => seen.claim('invoices/x')))
      const [claim, ...others] = claims.filter((each) => typeof each === 'object')
      assert.ok(claim && others.length === 0)
      await claim.finish()
      assert.equal(await seen.claim('invoices/x'), 'done')
      state.close()
    })
  })
}

function onQueues(): void {
  describe(`a consumer on ${ELASTICMQ}`, () => {
    let running: RunningSqs
    let client: SQSClient
    before(async () => {
      running = await startElasticmq()
      client = new SQSClient({ ...running, useQueueUrlAsEndpoint: false })
    })
    after(async () => {
      client.destroy()
      await running.stop()
    })

    /** A queue with these events, in one group when it is FIFO; its URL. */
    async function queueWith(name: string, ids: readonly string[]): Promise<string> {
      const fifo = name.endsWith('.fifo')
      const Attributes = { VisibilityTimeout: '1', ...(fifo && { FifoQueue: 'true' }) }
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }))
      assert.ok(QueueUrl)
      for (const id of ids) {
        const MessageBody = JSON.stringify({ ...archivedEvent('plain'), id })
        const group = { MessageGroupId: 'invoices', MessageDeduplicationId: id }
        await client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...(fifo && group) }))
      }
      return QueueUrl
    }

    for (const name of ['events', 'events.fifo'])
      test(`handles what is in ${name}; what failed comes again after its visibility timeout`, async () => {
        const ids = ['a', 'b', 'c'].map((id) => `invoices/${id}`)
        const url = await queueWith(name, ids)
        const tried: string[] = []
        const told: string[] = []
        const failing = (id: string) => id === ids[1] && tried.filter((each) => each === id).length === 1
        const end = new AbortController()

        await consumeQueue(
          client,
          url,
          ({ id }) => {
            tried.push(id)
            if (failing(id)) throw new Error('no')
            if (new Set(tried).size === 3 && tried.length === 4) end.abort()
          },
          { signal: end.signal, failed: (error) => void told.push((error as Error).message) },
        )

        assert.deepEqual(told, ['no'])
        assert.deepEqual([...tried].sort(), [...ids, ids[1]].sort())
        if (name.endsWith('.fifo')) assert.deepEqual(tried, [ids[0], ids[1], ids[1], ids[2]])
        await consumeQueue(client, url, () => assert.fail('it was deleted'), { untilEmpty: true })
      })
  })
}
