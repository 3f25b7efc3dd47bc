import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { bundleFunctions } from '../../functions/bundle.ts'
import type { Retention } from '../../shared/archive/archive.ts'
import type { VersionName } from '../../shared/archive/audit.ts'
import { openS3Archive } from '../../shared/archive/s3.ts'
import { openS3Audit } from '../../shared/archive/s3-audit.ts'
import { openS3Custody } from '../../shared/archive/s3-custody.ts'
import type { CaseName, MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey } from '../../shared/contract/object-key.ts'
import { mailboxesOf } from '../../shared/ledger/mailboxes.ts'
import { openSpool } from '../../shared/octets.ts'
import { deleteExpired, simulateExpiry } from '../../shared/operations/expired.ts'
import { forget } from '../../shared/operations/forget.ts'
import { holdByQuery } from '../../shared/operations/hold.ts'
import { releaseCase } from '../../shared/operations/release.ts'
import { openInlineParser } from '../../shared/parser/inline.ts'
import { isCode } from '../contract/archive.ts'
import { custodyContract } from '../contract/custody.ts'
import { ORDER } from '../support/custody-world.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { LambdaFunction } from '../support/lambda-function.ts'
import { assertLedgerVerifies, digestOf } from '../support/stores.ts'
import { minio, type RunningS3, type S3Engine, versity } from './engines/s3-engine.ts'

// Locks that an engine of others enforces: every refusal here is its own.

for (const engine of [versity, minio]) {
  if (engine.binary) withEngine(engine)
  else test(`custody on ${engine.name}`, { skip: engine.missing }, () => {})
}

async function newBucket(running: RunningS3): Promise<string> {
  const Bucket = `mail-${randomUUID()}`
  const admin = new S3Client({ ...running, forcePathStyle: true })
  await admin.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  admin.destroy()
  return Bucket
}

function openStore(running: RunningS3, bucket: string) {
  const options = { ...running, bucket }
  const [archive, audit, custody] = [openS3Archive(options), openS3Audit(options), openS3Custody(options)]
  return {
    archive,
    audit,
    custody,
    close() {
      for (const opened of [archive, audit, custody]) opened.close()
    },
  }
}

function withEngine(engine: S3Engine): void {
  custodyContract(
    `S3 on ${engine.name}`,
    async () => {
      const running = await engine.start()
      const store = openStore(running, await newBucket(running))
      return {
        ...store,
        async close() {
          store.close()
          await running.stop()
        },
      }
    },
    engine === versity && 'Versity refuses every change of a retention in compliance mode, longer ones too',
  )

  describe(`the records officer on ${engine.name}`, () => {
    const LOAN = message('loan')
    const LUNCH = message('lunch')
    const CALM = { dryRun: false, signal: new AbortController().signal, progress: () => {} }
    const OTT = 'ott' as CaseName
    const EVERYTHING = {}
    let running: RunningS3
    const closing: (() => void)[] = []
    before(async () => {
      running = await engine.start()
    })
    after(async () => {
      for (const close of closing) close()
      await running.stop()
    })

    /** Two messages, drained into a bucket of their own under that retention. */
    async function drained(retention?: Retention) {
      const bucket = await newBucket(running)
      const store = openStore(running, bucket)
      closing.push(store.close)
      const world = new DrainWorld(retention ? { retention } : {})
      const drain = async (...texts: string[]): Promise<void> => {
        for (const text of texts) world.store.deliver(text)
        assert.equal((await world.drain({}, { archive: store.archive })).error, undefined)
      }
      await drain(LOAN, LUNCH)
      const mailbox = world.mailbox.id
      const ports = {
        ...store,
        parser: openInlineParser(),
        spool: openSpool(),
        now: () => new Date(),
        retentionOf: (_: MailboxId) => retention,
        ownRetentionOf: (_: MailboxId) => retention,
      }
      const versionOf = async (text: string): Promise<VersionName> => {
        const key = rawKey(mailbox, digestOf(text))
        return { key, versionId: (await store.archive.find(key))?.versionId }
      }
      const mailboxes = await Array.fromAsync(mailboxesOf(store.archive))
      const holdLoans = () => holdByQuery(OTT, { subject: ['loan'] }, ORDER, mailboxes, ports, CALM)
      return { ...store, bucket, mailbox, mailboxes, ports, versionOf, drain, holdLoans }
    }

    test('a message that a case holds survives a real attempt to delete it, and is deleted when it is released', async () => {
      const { custody, archive, ports, versionOf, holdLoans } = await drained({ mode: 'governance', days: 1 })
      const loan = await versionOf(LOAN)

      assert.equal((await holdLoans()).held, 1)
      for (const bypassGovernance of [false, true])
        await assert.rejects(custody.delete(loan, { bypassGovernance }), isCode('VERSION_PROTECTED'))
      assert.ok(await archive.find(loan.key))

      assert.equal((await releaseCase(OTT, ORDER, ports, CALM)).released, 1)
      await assert.rejects(custody.delete(loan, { bypassGovernance: false }), isCode('VERSION_PROTECTED'))
      await custody.delete(loan, { bypassGovernance: true })
      assert.equal(await archive.find(loan.key), undefined)
    })

    test('what a law wants to be forgotten goes from governance, and the ledger verifies', async () => {
      const { archive, mailbox, mailboxes, ports, versionOf } = await drained({ mode: 'governance', days: 1 })
      const digests = new Set<Sha256>([digestOf(LOAN)])

      const [forgotten] = await Array.fromAsync(forget(digests, mailboxes, ORDER, ports, { dryRun: false }))

      assert.equal(forgotten?.outcome, 'forgotten')
      assert.equal((await versionOf(LOAN)).versionId, undefined)
      await assertLedgerVerifies(mailbox, archive)
    })

    test('compliance keeps it: forgetting is refused with the date, and so is a real attempt with a bypass', async () => {
      const { archive, custody, mailboxes, ports, versionOf } = await drained({ mode: 'compliance', days: 1 })
      const digests = new Set<Sha256>([digestOf(LOAN)])
      const loan = await versionOf(LOAN)

      const [kept] = await Array.fromAsync(forget(digests, mailboxes, ORDER, ports, { dryRun: false }))

      assert.equal(kept?.outcome, 'refused')
      assert.deepEqual(
        kept.obstacles.map((obstacle) => obstacle.kind === 'retention' && obstacle.mode),
        ['compliance'],
      )
      await assert.rejects(custody.delete(loan, { bypassGovernance: true }), isCode('VERSION_PROTECTED'))
      assert.ok(await archive.find(loan.key))
    })

    test('what has expired is deleted and what has not is not, as the simulation said', async () => {
      const { archive, custody, mailbox, mailboxes, ports, versionOf } = await drained()
      const tomorrow = new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000)
      await custody.retain(await versionOf(LUNCH), { mode: 'governance', until: tomorrow })
      const simulated = await Array.fromAsync(simulateExpiry(EVERYTHING, new Date(), mailboxes, ports))
      assert.deepEqual(
        simulated.map(({ message: it, obstacles }) => [it.entry.subject, obstacles.map(({ kind }) => kind)]),
        [
          ['loan', []],
          ['lunch', ['retention']],
        ],
      )

      await Array.fromAsync(deleteExpired(EVERYTHING, mailboxes, ORDER, ports))

      assert.equal((await versionOf(LOAN)).versionId, undefined)
      assert.ok((await versionOf(LUNCH)).versionId)
      await assertLedgerVerifies(mailbox, archive)
    })

    test('the function, from its bundle, holds new mail of an open case when S3 tells of its segment', async () => {
      const { archive, audit, bucket, mailbox, drain, versionOf, holdLoans } = await drained()
      await holdLoans()
      const folder = mkdtempSync(join(tmpdir(), 'mailsluice-hold-'))
      const bundle = (await bundleFunctions(folder)).find(({ name }) => name === 'hold-new-mail')
      assert.ok(bundle)
      const hold = await LambdaFunction.open({
        name: bundle.name,
        folder: bundle.folder,
        environment: {
          DEPLOYMENT: 'mailsluice',
          ARCHIVE_BUCKET: bucket,
          // The engine has state and archive in one; keys never meet.
          STATE_BUCKET: await newBucket(running),
          AWS_REGION: running.region,
          AWS_ACCESS_KEY_ID: running.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: running.credentials.secretAccessKey,
          AWS_ENDPOINT_URL_S3: running.endpoint,
        },
        timeoutMs: 60_000,
      })
      try {
        const late = message('late loan')
        await drain(late)
        const key = ledgerKey(mailbox, 2)
        assert.ok(await archive.find(key))
        const body = JSON.stringify({ detail: { bucket: { name: bucket }, object: { key } } })
        const Records = [{ messageId: 'm1', receiptHandle: 'r1', body, attributes: {} }]

        const invocation = await hold.invoke({ Records })

        assert.ok(invocation.ok, JSON.stringify(invocation))
        assert.deepEqual(invocation.result, { batchItemFailures: [] })
        assert.equal((await audit.inspect(await versionOf(late)))?.legalHold, true)
        assert.equal((await audit.inspect(await versionOf(LUNCH)))?.legalHold, false)
      } finally {
        await hold.stop()
        rmSync(folder, { recursive: true, force: true })
      }
    })
  })
}
