import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import type { ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3'
import { openS3Archive } from '../../shared/archive/s3.ts'
import { openS3Audit } from '../../shared/archive/s3-audit.ts'
import { nextKey, versionsIn } from '../../shared/archive/s3-versions.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { isCode } from '../contract/archive.ts'
import { type Bucket, startScriptedS3 } from '../support/scripted-s3.ts'

// What no engine does on demand. The promises themselves are held on real engines: test/interop/s3.interop.ts.

const running: (() => unknown)[] = []
after(() => Promise.all(running.map((close) => close())))

describe('an auditor who may not see locks', () => {
  const BUCKETS: Record<string, Bucket> = {
    'of a bucket that locks': { versioning: 'Enabled', objectLock: { mode: 'GOVERNANCE', days: 30 } },
    'where HeadObject tells none': { versioning: 'Enabled', objectLock: {} },
  }
  for (const [what, bucket] of Object.entries(BUCKETS))
    test(`${what} is told so, and is not told that locks are missing`, async () => {
      // The scripted bucket takes GET with ?retention and ?legal-hold for GetObject.
      const s3 = await startScriptedS3({ mail: bucket }, ({ operation }) =>
        operation === 'GetObject' ? { status: 403, code: 'AccessDenied' } : undefined,
      )
      const options = {
        bucket: 'mail',
        endpoint: s3.endpoint,
        region: 'eu-central-1',
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      }
      const [archive, audit] = [openS3Archive(options), openS3Audit(options)]
      running.push(
        () => archive.close(),
        () => audit.close(),
        () => s3.close(),
      )
      const { mode, days } = bucket.objectLock as { mode?: string; days?: number }
      assert.deepEqual(
        await audit.defaultRetention(),
        mode === undefined ? undefined : { mode: mode.toLowerCase(), days },
      )
      const octets = memoryOctets(randomBytes(10))
      const key = rawKey(mailboxId('invoices'), octets.sha256)
      const writtenFor = { seq: 1, drain: 'drain' as DrainId }
      const put = await archive.put(key, octets, { contentType: 'message/rfc822', writtenFor })
      assert.ok(put.outcome === 'created')

      const version = { key, versionId: put.versionId }
      await assert.rejects(audit.inspect(version), isCode('ARCHIVE_DENIED'))
      await assert.rejects(audit.inspect(version), isCode('ARCHIVE_DENIED'))
    })
})

test('an auditor who may not see the default of the bucket goes on without', async () => {
  const bucket: Bucket = { versioning: 'Enabled', objectLock: { mode: 'GOVERNANCE', days: 30 } }
  for (const [code, status] of [
    ['AccessDenied', 403],
    ['ObjectLockConfigurationNotFoundError', 404],
  ] as const) {
    const s3 = await startScriptedS3({ mail: bucket }, ({ operation }) =>
      operation === 'GetObjectLockConfiguration' ? { status, code } : undefined,
    )
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    const audit = openS3Audit({ bucket: 'mail', endpoint: s3.endpoint, region: 'eu-central-1', credentials })
    running.push(
      () => audit.close(),
      () => s3.close(),
    )

    assert.equal(await audit.defaultRetention(), undefined)
  }
})

describe('a page of versions', () => {
  const at = (day: number): Date => new Date(Date.UTC(2026, 0, day))
  const page = (more: object): ListObjectVersionsCommandOutput => ({ $metadata: {}, ...more })

  test('has delete markers among the versions, where S3 had them', () => {
    const listed = versionsIn(
      page({
        Versions: [
          { Key: 'a', VersionId: 'a1', IsLatest: true, LastModified: at(1), Size: 1 },
          { Key: 'b', VersionId: 'b3', IsLatest: false, LastModified: at(3), Size: 3 },
          { Key: 'b', VersionId: 'b1', IsLatest: false, LastModified: at(1), Size: 1 },
          { Key: 'c', VersionId: 'c1', IsLatest: true, LastModified: at(1), Size: 1 },
        ],
        DeleteMarkers: [
          // In the second of the version that it hides.
          { Key: 'b', VersionId: 'b4', IsLatest: true, LastModified: at(3) },
          { Key: 'b', VersionId: 'b2', IsLatest: false, LastModified: at(2) },
        ],
      }),
    )

    assert.deepEqual(
      listed.map(({ versionId, deleteMarker }) => `${versionId}${deleteMarker ? ' marker' : ''}`),
      ['a1', 'b4 marker', 'b3', 'b2 marker', 'b1', 'c1'],
    )
  })

  test('tells keys in octets when it says that they are encoded, and as they are when it does not', () => {
    const key = 'raw/a%2Bb+%C3%A9%0A'
    const rows = { Versions: [{ Key: key, VersionId: '1' }], NextKeyMarker: key }

    const encoded = page({ ...rows, EncodingType: 'url' })
    assert.deepEqual([versionsIn(encoded)[0]?.key, nextKey(encoded)], ['raw/a+b é\n', 'raw/a+b é\n'])
    assert.deepEqual([versionsIn(page(rows))[0]?.key, nextKey(page(rows))], [key, key])
  })
})
