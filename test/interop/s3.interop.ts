import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  NoSuchKey,
  type ObjectLockRetentionMode,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { PutOptions } from '../../shared/archive/archive.ts'
import { openS3Archive, type S3Archive } from '../../shared/archive/s3.ts'
import { openS3Audit } from '../../shared/archive/s3-audit.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { openS3Derived } from '../../shared/derived/s3.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { openS3State } from '../../shared/state/s3.ts'
import { archiveContract, isCode } from '../contract/archive.ts'
import { auditContract } from '../contract/audit.ts'
import { derivedContract } from '../contract/derived.ts'
import { stateContract } from '../contract/state.ts'
import { minio, type RunningS3, type S3Engine, versity } from './engines/s3-engine.ts'

const OPTIONS: PutOptions = {
  contentType: 'message/rfc822',
  writtenFor: { seq: 1, drain: 'interop' as DrainId },
}

for (const engine of [versity, minio]) {
  if (engine.binary) withEngine(engine)
  else test(`S3 on ${engine.name}`, { skip: engine.missing }, () => {})
}

function withEngine(engine: S3Engine): void {
  let running: RunningS3
  let admin: S3Client

  async function start(): Promise<void> {
    running = await engine.start()
    admin = new S3Client({ ...running, forcePathStyle: true })
  }

  async function stop(): Promise<void> {
    admin.destroy()
    await running.stop()
  }

  async function bucket(lock?: { mode?: ObjectLockRetentionMode; days?: number }): Promise<string> {
    const name = `mail-${randomUUID()}`
    await admin.send(
      new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: lock !== undefined }),
    )
    if (lock?.mode)
      await admin.send(
        new PutObjectLockConfigurationCommand({
          Bucket: name,
          ObjectLockConfiguration: {
            ObjectLockEnabled: 'Enabled',
            Rule: { DefaultRetention: { Mode: lock.mode, Days: lock.days } },
          },
        }),
      )
    return name
  }

  archiveContract(`S3 on ${engine.name}`, async () => {
    await start()
    const name = await bucket({ mode: 'GOVERNANCE', days: 1 })
    const archive = openS3Archive({ ...running, bucket: name })
    return {
      archive,
      async deleteVersion(key, versionId) {
        await admin.send(
          new DeleteObjectCommand({
            Bucket: name,
            Key: key,
            VersionId: versionId,
            BypassGovernanceRetention: true,
          }),
        )
      },
      async close() {
        archive.close()
        await stop()
      },
    }
  })

  auditContract(
    `S3 on ${engine.name}`,
    async () => {
      await start()
      const Bucket = await bucket({})
      const archive = openS3Archive({ ...running, bucket: Bucket })
      const audit = openS3Audit({ ...running, bucket: Bucket })
      return {
        archive,
        audit,
        bypass: {
          async putOver(Key, Body) {
            await admin.send(new PutObjectCommand({ Bucket, Key, Body }))
          },
          async hide(Key) {
            await admin.send(new DeleteObjectCommand({ Bucket, Key }))
          },
          async setHold({ key: Key, versionId: VersionId }) {
            const LegalHold = { Status: 'ON' } as const
            await admin.send(new PutObjectLegalHoldCommand({ Bucket, Key, VersionId, LegalHold }))
          },
        },
        async close() {
          archive.close()
          audit.close()
          await stop()
        },
      }
    },
    undefined,
  )

  stateContract(`S3 on ${engine.name}`, async () => {
    await start()
    const state = openS3State({ ...running, bucket: await bucket() })
    return {
      state,
      async close() {
        state.close()
        await stop()
      },
    }
  })

  derivedContract(`S3 on ${engine.name}`, async () => {
    await start()
    const derived = openS3Derived({ ...running, bucket: await bucket() })
    return {
      derived,
      async read(key) {
        const command = new GetObjectCommand({ Bucket: derived.bucket, Key: key })
        const answer = await admin.send(command).catch((error: unknown) => {
          if (!(error instanceof NoSuchKey)) throw error
          return undefined
        })
        return answer && Buffer.from((await answer.Body?.transformToByteArray()) ?? [])
      },
      async close() {
        derived.close()
        await stop()
      },
    }
  })

  describe(`S3 on ${engine.name}`, () => {
    const opened: S3Archive[] = []
    before(start)
    after(async () => {
      for (const archive of opened) archive.close()
      await stop()
    })

    function open(name: string, more: object = {}): S3Archive {
      const archive = openS3Archive({ ...running, bucket: name, backOffMs: 1, ...more })
      opened.push(archive)
      return archive
    }

    test('a missing bucket is a clear error before any mail is touched', async () => {
      await assert.rejects(open('there-is-none').check(), isCode('ARCHIVE_MISSING'))
    })

    test('a bucket without versioning, or with versioning alone, cannot keep the promises', async () => {
      const name = await bucket()
      await assert.rejects(open(name).check(), isCode('ARCHIVE_MISCONFIGURED'))
      await admin.send(
        new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status: 'Enabled' } }),
      )
      await assert.rejects(open(name).check(), isCode('ARCHIVE_MISCONFIGURED'))
    })

    test('a put with a retention into a bucket without locks is refused', async () => {
      const body = memoryOctets(randomBytes(10))
      const put = open(await bucket()).put(rawKey(mailboxId('m'), body.sha256), body, {
        ...OPTIONS,
        retention: { mode: 'compliance', days: 1 },
      })
      await assert.rejects(put, isCode('ARCHIVE_MISCONFIGURED'))
    })

    test('a wrong secret is denied', async () => {
      const credentials = { ...running.credentials, secretAccessKey: 'wrong' }
      const archive = open(await bucket({ mode: 'GOVERNANCE', days: 1 }), { credentials })
      await assert.rejects(archive.check(), isCode('ARCHIVE_DENIED'))
    })

    test('a check stores nothing and finds nothing to warn of', async () => {
      const archive = open(await bucket({ mode: 'COMPLIANCE', days: 3 }))

      const facts = await archive.check()

      assert.deepEqual(facts.defaultRetention, { mode: 'compliance', days: 3 })
      assert.deepEqual(facts.warnings, [])
      for await (const { key } of archive.list('')) assert.fail(`stored ${key}`)
    })

    test("an object under the bucket's default retention survives a real attempt to delete it", async () => {
      const name = await bucket({ mode: 'COMPLIANCE', days: 1 })
      const { archive, key, versionId } = await archived(name)

      const deletion = new DeleteObjectCommand({
        Bucket: name,
        Key: key,
        VersionId: versionId,
        BypassGovernanceRetention: true,
      })
      await assert.rejects(admin.send(deletion))

      assert.equal((await archive.find(key))?.versionId, versionId)
    })

    test("the bucket's default retention is told as we reckoned it, and cannot be shortened", async (t) => {
      const name = await bucket({ mode: 'COMPLIANCE', days: 1 })
      const { archive, key, versionId, retainUntil } = await archived(name)
      const facts = await archive.find(key)
      // Versity holds the object by the bucket's default and keeps no date of its own with it.
      if (facts?.retainUntil === undefined) return t.skip(`${engine.name} keeps no date with the object`)

      assert.ok(Math.abs(Date.parse(facts.retainUntil) - Date.parse(retainUntil ?? '')) < 5000)
      const sooner = { Mode: 'COMPLIANCE' as const, RetainUntilDate: new Date(Date.now() + 60_000) }
      const shortening = new PutObjectRetentionCommand({
        Bucket: name,
        Key: key,
        VersionId: versionId,
        Retention: sooner,
      })
      await assert.rejects(admin.send(shortening))
    })

    async function archived(name: string) {
      const archive = open(name)
      const body = memoryOctets(randomBytes(100))
      const key = rawKey(mailboxId('m'), body.sha256)
      const result = await archive.put(key, body, OPTIONS)
      assert.ok(result.outcome === 'created')
      return { archive, key, versionId: result.versionId, retainUntil: result.retainUntil }
    }

    test('messages of 5 KB are stored 64 at a time', async (t) => {
      const archive = open(await bucket({ mode: 'GOVERNANCE', days: 1 }))
      const bodies = Array.from({ length: 1000 }, () => memoryOctets(randomBytes(5000)))
      const waiting = bodies.values()
      const started = performance.now()
      await Promise.all(
        Array.from({ length: 64 }, async () => {
          for (const body of waiting)
            await archive.put(rawKey(mailboxId('bench'), body.sha256), body, OPTIONS)
        }),
      )
      const seconds = (performance.now() - started) / 1000
      t.diagnostic(`${Math.round(bodies.length / seconds)} puts a second`)
      let listed = 0
      for await (const _ of archive.list('raw/bench/')) listed++
      assert.equal(listed, bodies.length)
    })
  })
}
