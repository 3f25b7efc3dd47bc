import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { devNull } from 'node:os'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import type { PutOptions } from '../../shared/archive/archive.ts'
import { openS3Archive, type S3Archive } from '../../shared/archive/s3.ts'
import { type DrainId, mailboxId, type ObjectKey } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import type { ErrorCode, IngestError } from '../../shared/errors.ts'
import { ARCHIVE } from '../../shared/limits.ts'
import { memoryOctets, type Octets } from '../../shared/octets.ts'
import { isCode } from '../contract/archive.ts'
import {
  type Bucket,
  type Fault,
  type ScriptedRequest,
  type ScriptedS3,
  startScriptedS3,
} from '../support/scripted-s3.ts'

// What happens to a put when S3 or the way to it fails. The promises themselves are held on real engines: test/interop/s3.interop.ts.

const OURS: PutOptions = { contentType: 'message/rfc822', writtenFor: { seq: 3, drain: 'ours' as DrainId } }
const THEIRS: PutOptions = {
  contentType: 'message/rfc822',
  writtenFor: { seq: 3, drain: 'theirs' as DrainId },
}
const LOCKED: Bucket = { versioning: 'Enabled', objectLock: { mode: 'GOVERNANCE', days: 30 } }

const inMemory = memoryOctets(randomBytes(3000))
const spooled: Octets = {
  ...inMemory,
  buffer: undefined,
  open: () => Readable.from([inMemory.buffer], { objectMode: false }),
}
const key = rawKey(mailboxId('invoices'), inMemory.sha256)

const running: (() => unknown)[] = []
after(() => Promise.all(running.map((close) => close())))

async function withFaults(
  fault: (request: ScriptedRequest, nth: number) => Fault | undefined,
  { bucket = LOCKED, requestMs }: { bucket?: Bucket; requestMs?: number } = {},
): Promise<{ s3: ScriptedS3; archive: S3Archive; tries: () => number }> {
  const s3 = await startScriptedS3({ mail: bucket }, fault)
  const archive = openS3Archive({ ...CLIENT, bucket: 'mail', endpoint: s3.endpoint, requestMs })
  running.push(
    () => archive.close(),
    () => s3.close(),
  )
  return { s3, archive, tries: () => s3.requests.filter(({ operation }) => operation === 'PutObject').length }
}

const CLIENT = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  backOffMs: 1,
}

/** The same fault for the first puts. */
function puts(count: number, fault: Fault): (request: ScriptedRequest, nth: number) => Fault | undefined {
  return ({ operation }, nth) => (operation === 'PutObject' && nth <= count ? fault : undefined)
}

describe('a put', () => {
  test('carries the condition, the checksum, for whom it was written, and no lock of its own', async () => {
    const { s3, archive } = await withFaults(() => undefined)

    const result = await archive.put(key, inMemory, OURS)

    const [{ headers } = {}] = s3.requests as [ScriptedRequest?]
    assert.equal(headers?.['if-none-match'], '*')
    assert.equal(headers?.['x-amz-checksum-sha256'], Buffer.from(inMemory.sha256, 'hex').toString('base64'))
    assert.equal(headers?.['x-amz-sdk-checksum-algorithm'], 'SHA256')
    assert.equal(headers?.['content-type'], 'message/rfc822')
    assert.equal(headers?.['content-length'], '3000')
    assert.equal(headers?.['content-encoding'], undefined)
    assert.equal(headers?.['x-amz-meta-mailsluice-seq'], '3')
    assert.equal(headers?.['x-amz-meta-mailsluice-drain'], 'ours')
    assert.equal(headers?.['x-amz-object-lock-mode'], undefined)
    assert.ok(result.outcome === 'created' && result.retainUntil)
    const days = (Date.parse(result.retainUntil) - Date.now()) / 86_400_000
    assert.ok(days > 29.9 && days < 30.1, 'the default retention of the bucket')
  })

  test('with a retention of its own carries mode and date', async () => {
    const { s3, archive } = await withFaults(() => undefined)

    const result = await archive.put(key, inMemory, { ...OURS, retention: { mode: 'compliance', days: 7 } })

    const [{ headers } = {}] = s3.requests as [ScriptedRequest?]
    assert.equal(headers?.['x-amz-object-lock-mode'], 'COMPLIANCE')
    assert.ok(result.outcome === 'created' && result.retainUntil)
    assert.equal(
      Date.parse(String(headers?.['x-amz-object-lock-retain-until-date'])),
      Date.parse(result.retainUntil),
    )
  })

  for (const [kind, octets] of Object.entries({ 'of memory': inMemory, 'of a spool': spooled })) {
    for (const [what, fault] of Object.entries<Fault>({
      'answered 503 SlowDown': { status: 503, code: 'SlowDown' },
      'answered 500': { status: 500, code: 'InternalError' },
      'answered 429': { status: 429, code: 'TooManyRequests' },
      'answered 409 because another one is under way': { status: 409, code: 'ConditionalRequestConflict' },
      'answered 400 because the octets changed on the way': { status: 400, code: 'BadDigest' },
      'answered 400 because they came too slowly': { status: 400, code: 'RequestTimeout' },
      'cut off': 'break',
    }))
      test(`${kind} that is ${what} is repeated and created once`, async () => {
        const { s3, archive, tries } = await withFaults(puts(2, fault))

        assert.equal((await archive.put(key, octets, OURS)).outcome, 'created')

        assert.equal(tries(), 3)
        assert.deepEqual(s3.buckets.get('mail')?.objects.get(key)?.content, inMemory.buffer)
      })

    test(`${kind} whose answer got lost was created by us, not by another`, async () => {
      const { s3, archive, tries } = await withFaults(puts(1, 'lose the answer'))

      const result = await archive.put(key, octets, OURS)

      assert.equal(tries(), 1)
      assert.equal(result.outcome, 'created')
      assert.equal(result.versionId, s3.buckets.get('mail')?.objects.get(key)?.headers['x-amz-version-id'])
    })
  }

  test('whose answer and whose look-up got lost is created by us all the same', async () => {
    const { archive } = await withFaults(({ operation }, nth) =>
      nth > 1
        ? undefined
        : operation === 'PutObject'
          ? 'lose the answer'
          : operation === 'HeadObject'
            ? 'break'
            : undefined,
    )

    assert.equal((await archive.put(key, inMemory, OURS)).outcome, 'created')
  })

  test('that S3 carried out and answered 500 was created by us', async () => {
    const { archive } = await withFaults(puts(1, { status: 500, code: 'InternalError', carryOut: true }))

    assert.equal((await archive.put(key, inMemory, OURS)).outcome, 'created')
  })

  test('whose try was cut off while another drain stored the key exists', async () => {
    const other = await startScriptedS3({ mail: LOCKED })
    running.push(() => other.close())
    const theirs = openS3Archive({ ...CLIENT, bucket: 'mail', endpoint: other.endpoint })
    running.push(() => theirs.close())
    await theirs.put(key, inMemory, THEIRS)
    const stored = other.buckets.get('mail')?.objects.get(key)
    assert.ok(stored)
    const { archive } = await withFaults(puts(1, 'break'), {
      bucket: { ...LOCKED, objects: new Map([[key, stored]]) },
    })

    const result = await archive.put(key, inMemory, OURS)

    assert.ok(result.outcome === 'exists')
    assert.deepEqual(result.facts.writtenFor, THEIRS.writtenFor)
  })

  test('of a key that the same drain wrote before exists, when no answer was lost', async () => {
    const { archive } = await withFaults(() => undefined)
    await archive.put(key, inMemory, OURS)

    assert.equal((await archive.put(key, inMemory, OURS)).outcome, 'exists')
  })

  test('that was refused with 503 and then with 412 exists: a 503 stores nothing', async () => {
    const { archive } = await withFaults(({ operation }, nth) =>
      operation === 'PutObject' && nth === 2 ? { status: 503, code: 'SlowDown' } : undefined,
    )
    await archive.put(key, inMemory, OURS)

    assert.equal((await archive.put(key, inMemory, OURS)).outcome, 'exists')
  })

  test('that stalls is given up and repeated', async () => {
    const { archive, tries } = await withFaults(puts(1, 'stall'), { requestMs: 200 })

    assert.equal((await archive.put(key, inMemory, OURS)).outcome, 'created')
    assert.equal(tries(), 2)
  })

  test('is given up after its tries', async () => {
    const { archive, tries } = await withFaults(puts(99, { status: 503, code: 'SlowDown' }))

    await assert.rejects(archive.put(key, inMemory, OURS), isCode('ARCHIVE_UNAVAILABLE'))
    assert.equal(tries(), ARCHIVE.attempts)
  })

  test('of a source that is not whole ends before its last octet and is not repeated', async () => {
    const { s3, archive, tries } = await withFaults(() => undefined)
    const short = { ...spooled, open: () => Readable.from([Buffer.alloc(2000)], { objectMode: false }) }

    await assert.rejects(archive.put(key, short, OURS), isCode('ARCHIVE_UNAVAILABLE'))
    assert.ok(tries() <= 1)
    assert.equal(s3.buckets.get('mail')?.objects.size, 0)
  })

  for (const [answer, code] of Object.entries<ErrorCode>({
    '403 AccessDenied': 'ARCHIVE_DENIED',
    '403 SignatureDoesNotMatch': 'ARCHIVE_DENIED',
    '400 ExpiredToken': 'ARCHIVE_DENIED',
    '404 NoSuchBucket': 'ARCHIVE_MISSING',
    '404 NoSuchKey': 'ARCHIVE_MISCONFIGURED',
    '301 PermanentRedirect': 'ARCHIVE_MISSING',
    '400 AuthorizationHeaderMalformed': 'ARCHIVE_MISSING',
    '400 InvalidRequest': 'ARCHIVE_MISCONFIGURED',
    '501 NotImplemented': 'ARCHIVE_UNAVAILABLE',
  }))
    test(`answered ${answer} is ${code} and names the bucket`, async () => {
      const [status = 0, name = ''] = answer.split(' ')
      const { archive, tries } = await withFaults(puts(99, { status: Number(status), code: name }))

      const failure = await archive.put(key, inMemory, OURS).catch((error: unknown) => error as IngestError)

      assert.ok(isCode(code)(failure), String(failure))
      assert.match(String(failure), new RegExp(`bucket mail: PutObject raw/invoices/.*${status} ${name}`))
      if (code !== 'ARCHIVE_UNAVAILABLE') assert.equal(tries(), 1)
    })

  test('without a region, or without credentials, says so', async () => {
    forgetSettingsOfAws()
    const { endpoint } = (await withFaults(() => undefined)).s3
    const { region, credentials } = CLIENT
    for (const [known, code] of [
      [{ credentials }, 'ARCHIVE_MISSING'],
      [{ region }, 'ARCHIVE_DENIED'],
    ] satisfies [object, ErrorCode][]) {
      const archive = openS3Archive({ bucket: 'mail', endpoint, ...known })
      running.push(() => archive.close())
      await assert.rejects(archive.put(key, inMemory, OURS), isCode(code))
    }
  })

  test('to where nobody listens is ARCHIVE_UNAVAILABLE', async () => {
    const gone = await startScriptedS3({})
    await gone.close()
    const archive = openS3Archive({ ...CLIENT, bucket: 'mail', endpoint: gone.endpoint })
    running.push(() => archive.close())

    await assert.rejects(archive.put(key, inMemory, OURS), isCode('ARCHIVE_UNAVAILABLE'))
  })
})

describe('a read', () => {
  test('of a bucket that is missing is an error, not an empty archive', async () => {
    const { s3 } = await withFaults(() => undefined)
    const archive = openS3Archive({ ...CLIENT, bucket: 'other', endpoint: s3.endpoint })
    running.push(() => archive.close())

    await assert.rejects(archive.get(key), isCode('ARCHIVE_MISSING'))
    await assert.rejects(collect(archive), isCode('ARCHIVE_MISSING'))
    await assert.rejects(archive.check(), isCode('ARCHIVE_MISSING'))
  })

  test('of an object that was changed at rest fails before its last octet', async () => {
    const { s3, archive } = await withFaults(() => undefined)
    await archive.put(key, inMemory, OURS)
    const objects = s3.buckets.get('mail')?.objects
    const stored = objects?.get(key)
    assert.ok(objects && stored)
    objects.set(key, { ...stored, content: randomBytes(3000) })

    await assert.rejects(buffer((await archive.get(key)).body), isCode('ARCHIVE_CONFLICT'))
  })

  test('tells nothing about objects that others wrote without our metadata', async () => {
    const { s3, archive } = await withFaults(() => undefined)
    s3.buckets.get('mail')?.objects.set(key, {
      content: Buffer.from('x'),
      headers: { 'x-amz-checksum-sha256': 'AAAA-2', 'x-amz-meta-mailsluice-seq': 'one' },
    })

    assert.deepEqual(await archive.find(key), {
      key,
      octets: 1,
      sha256: undefined,
      versionId: undefined,
      writtenFor: undefined,
      retainUntil: undefined,
    })
  })

  test('that stalls is given up and repeated', async () => {
    const { s3, archive } = await withFaults(
      ({ operation }, nth) => (operation === 'HeadObject' && nth === 1 ? 'stall' : undefined),
      { requestMs: 200 },
    )

    assert.equal(await archive.find(key), undefined)
    assert.equal(s3.requests.length, 2)
  })

  test('whose body stalls is given up', async () => {
    const { archive } = await withFaults(
      ({ operation }) => (operation === 'GetObject' ? 'stall in the body' : undefined),
      {
        requestMs: 200,
      },
    )
    await archive.put(key, inMemory, OURS)

    await assert.rejects(buffer((await archive.get(key)).body), isCode('ARCHIVE_UNAVAILABLE'))
  })

  test('of a list begins after a key', async () => {
    const { archive } = await withFaults(() => undefined)
    await archive.put(key, inMemory, OURS)

    assert.deepEqual(await collect(archive, key), [])
    assert.deepEqual(await collect(archive, 'raw/a' as ObjectKey), [key])
  })

  test('survives a passing 503 on every page of a list', async () => {
    const { archive } = await withFaults(({ operation }, nth) =>
      operation === 'ListObjectsV2' && nth % 2 === 1 ? { status: 503, code: 'SlowDown' } : undefined,
    )
    await archive.put(key, inMemory, OURS)

    assert.deepEqual(await collect(archive), [key])
  })
})

describe('a check', () => {
  test('tells location, lock and default retention, and stores nothing', async () => {
    const { s3, archive } = await withFaults(() => undefined)

    assert.deepEqual(await archive.check(), {
      location: 's3://mail',
      versioning: true,
      objectLock: true,
      defaultRetention: { mode: 'governance', days: 30 },
      warnings: [],
    })
    assert.equal(s3.buckets.get('mail')?.objects.size, 0)
  })

  for (const [what, bucket, code] of [
    ['without versioning', { objectLock: {} }, 'ARCHIVE_MISCONFIGURED'],
    ['with suspended versioning', { versioning: 'Suspended', objectLock: {} }, 'ARCHIVE_MISCONFIGURED'],
    [
      'that answers about Object Lock, but has none',
      { versioning: 'Enabled', objectLock: { off: true } },
      'ARCHIVE_MISCONFIGURED',
    ],
    ['without Object Lock', { versioning: 'Enabled' }, 'ARCHIVE_MISCONFIGURED'],
  ] satisfies [string, Bucket, ErrorCode][])
    test(`of a bucket ${what} is ${code}`, async () => {
      const { archive } = await withFaults(() => undefined, { bucket })

      await assert.rejects(archive.check(), isCode(code))
    })

  test('of a bucket without a default retention warns', async () => {
    const { archive } = await withFaults(() => undefined, {
      bucket: { versioning: 'Enabled', objectLock: {} },
    })

    const { warnings, defaultRetention } = await archive.check()

    assert.equal(defaultRetention, undefined)
    assert.match(warnings.join(), /no default retention/)
  })

  test('reckons a default retention in years never too long', async () => {
    const { archive } = await withFaults(() => undefined, {
      bucket: { versioning: 'Enabled', objectLock: { mode: 'COMPLIANCE', years: 10 } },
    })

    assert.deepEqual((await archive.check()).defaultRetention, { mode: 'compliance', days: 3650 })
  })

  for (const denied of ['GetBucketVersioning', 'GetObjectLockConfiguration', 'PutObject'])
    test(`without the right to ${denied} is ARCHIVE_DENIED`, async () => {
      const { archive } = await withFaults(({ operation }) =>
        operation === denied ? { status: 403, code: 'AccessDenied' } : undefined,
      )

      await assert.rejects(archive.check(), isCode('ARCHIVE_DENIED'))
    })

  test('that found all well holds for five minutes; one that failed is made again at once', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    let asked = 0
    let broken = true
    const { archive } = await withFaults(({ operation }) => {
      if (operation === 'GetBucketVersioning') asked++
      return broken ? { status: 403, code: 'AccessDenied' } : undefined
    })

    await assert.rejects(archive.check(), isCode('ARCHIVE_DENIED'))
    broken = false
    await Promise.all([archive.check(), archive.check()])
    t.mock.timers.tick(5 * 60_000 - 1000)
    await archive.check()
    assert.equal(asked, 2)

    t.mock.timers.tick(2000)
    broken = true
    await assert.rejects(archive.check(), isCode('ARCHIVE_DENIED'))
    assert.equal(asked, 3)
  })

  test('looks whether the ledger may be written too', async () => {
    const { archive } = await withFaults(({ operation, key: written }) =>
      operation === 'PutObject' && written.startsWith('ledger/')
        ? { status: 403, code: 'AccessDenied' }
        : undefined,
    )

    await assert.rejects(archive.check(), isCode('ARCHIVE_DENIED'))
  })
})

async function collect(archive: S3Archive, after?: ObjectKey): Promise<ObjectKey[]> {
  const keys: ObjectKey[] = []
  for await (const found of archive.list('raw/', after)) keys.push(found.key)
  return keys
}

/** What the SDK would find by itself on the machine that runs the test. */
function forgetSettingsOfAws(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  process.env.AWS_CONFIG_FILE = process.env.AWS_SHARED_CREDENTIALS_FILE = devNull
  process.env.AWS_EC2_METADATA_DISABLED = 'true'
}
