import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { CreateBucketCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3'
import { openS3Archive, type S3Archive } from '../../shared/archive/s3.ts'
import { openS3Audit, type S3Audit } from '../../shared/archive/s3-audit.ts'
import { openS3Custody, type S3Custody } from '../../shared/archive/s3-custody.ts'
import { openDnsResolver } from '../../shared/authentication/dns-resolver.ts'
import type { DrainId } from '../../shared/contract/ids.ts'
import { authenticationKey, rawKey } from '../../shared/contract/object-key.ts'
import { openLedger, readSegment } from '../../shared/ledger/ledger.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { verifyAgain } from '../../shared/operations/verify-again.ts'
import { verifySegment } from '../../shared/operations/verify-authentication.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { DnsServer } from '../support/dns-server.ts'
import { digestOf, draftOf, MAILBOX, messageEntry } from '../support/segments.ts'
import { dkimKey, MESSAGE, signed, taken } from '../support/signed-mail.ts'
import { minio, type RunningS3, type S3Engine, versity } from './engines/s3-engine.ts'

// Evidence of who sent a message, under a lock that an engine of others enforces.

for (const engine of [versity, minio]) {
  if (engine.binary) withEngine(engine)
  else test(`verified senders on ${engine.name}`, { skip: engine.missing }, () => {})
}

function withEngine(engine: S3Engine): void {
  describe(`verified senders on ${engine.name}`, () => {
    let running: RunningS3
    let archive: S3Archive
    let audit: S3Audit
    let custody: S3Custody
    before(async () => {
      running = await engine.start()
      const Bucket = `mail-${randomUUID()}`
      const admin = new S3Client({ ...running, forcePathStyle: true })
      await admin.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
      await admin.send(
        new PutObjectLockConfigurationCommand({
          Bucket,
          ObjectLockConfiguration: {
            ObjectLockEnabled: 'Enabled',
            Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 30 } },
          },
        }),
      )
      admin.destroy()
      archive = openS3Archive({ ...running, bucket: Bucket })
      audit = openS3Audit({ ...running, bucket: Bucket })
      custody = openS3Custody({ ...running, bucket: Bucket })
    })
    after(async () => {
      for (const opened of [archive, audit, custody]) opened.close()
      await running.stop()
    })

    test('evidence is written once, under the lock of the bucket, and confirms the message when its key is gone', async () => {
      const key = dkimKey()
      await using dns = await DnsServer.open({ 'one._domainkey.sender.example TXT': [key.record] })
      const message = taken(await signed(MESSAGE, { key }))
      const digest = digestOf(message)
      await archive.put(rawKey(MAILBOX, digest), memoryOctets(Buffer.from(message)), {
        contentType: 'message/rfc822',
        writtenFor: { seq: 1, drain: 'drain-1' as DrainId },
      })
      const ledger = await openLedger(MAILBOX, { archive, state: undefined })
      await ledger.commit(draftOf([messageEntry(message)], { closedAt: new Date() }), undefined)
      const verify = async () =>
        verifySegment(
          await readSegment(MAILBOX, archive, 1),
          { receivedBy: undefined, queues: [] },
          {
            archive,
            queues: openMemoryQueues({ queues: {} }),
            dns: openDnsResolver([dns.address]),
            now: () => new Date(),
          },
        )

      assert.deepEqual(await verify(), { verified: 1, left: 0 })
      dns.clear()
      dns.asked.length = 0
      assert.deepEqual(await verify(), { verified: 1, left: 0 })

      const again = await verifyAgain(MAILBOX, digest, archive)
      assert.equal(again?.confirmed, true)
      assert.equal(again.verification.dkim[0]?.result, 'pass')
      assert.deepEqual(dns.asked, [])
      const versions = await Array.fromAsync(audit.versions(authenticationKey(MAILBOX, digest)))
      assert.equal(versions.length, 1)
      const [version] = versions
      assert.ok(version)
      // A real attempt: Versity tells no date of what the default of the bucket holds.
      await assert.rejects(custody.delete(version, { bypassGovernance: false }), /object lock|WORM/i)
    })
  })
}
