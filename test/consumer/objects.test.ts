import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { S3Client } from '@aws-sdk/client-s3'
import {
  type OpenObject,
  openAttachment,
  openFileObjects,
  openRaw,
  wholeData,
} from '../../shared/consumer/objects.ts'
import { openS3Objects } from '../../shared/consumer/s3.ts'
import type { ArchivedData } from '../../shared/contract/event.ts'
import { type ErrorCode, IngestError } from '../../shared/errors.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { archivedEvent } from '../support/recorded-events.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { type Fault, type ScriptedS3, startScriptedS3 } from '../support/scripted-s3.ts'

const RAW = Buffer.from(`Subject: x\r\n\r\n${'line\r\n'.repeat(50_000)}`)
const sha256 = (octets: Buffer): string => createHash('sha256').update(octets).digest('hex')
const folder = mkdtempSync(join(tmpdir(), 'mailsluice-objects-'))
const WITH_ATTACHMENTS = ['invoice', 'bounce', 'calendar', 'forwarded']
let s3: ScriptedS3
let client: S3Client

before(async () => {
  s3 = await startScriptedS3({ mail: {} })
  client = new S3Client({
    region: 'us-east-1',
    endpoint: s3.endpoint,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
  })
})
after(async () => {
  client.destroy()
  await s3.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Somewhere that objects can be put to and read from. */
const PLACES: readonly [
  name: string,
  put: (key: string, octets: Buffer) => string,
  open: () => OpenObject,
  remove: (key: string) => void,
][] = [
  [
    'files',
    (key, octets) => {
      const file = join(folder, 'archive', key)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, octets)
      return pathToFileURL(file).href
    },
    () => openFileObjects(folder),
    (key) => rmSync(join(folder, 'archive', key)),
  ],
  [
    'a bucket',
    (key, octets) => {
      s3.buckets.get('mail')?.objects.set(key, { content: octets, headers: {} })
      return `s3://mail/${key}`
    },
    () => openS3Objects(client),
    (key) => s3.buckets.get('mail')?.objects.delete(key),
  ],
]

const read = async (stream: Promise<Readable>): Promise<Buffer> =>
  Buffer.concat(await (await stream).toArray())

for (const [name, put, open, remove] of PLACES)
  describe(`in ${name}`, () => {
    const raw = (key: string, octets: Buffer, expected: Buffer = RAW): Pick<ArchivedData, 'raw'> => ({
      raw: { uri: put(key, octets), key, sha256: sha256(expected), octets: expected.length },
    })

    test('a message is read as it was received', async () => {
      assert.deepEqual(await read(openRaw(raw('raw/a.eml', RAW), open())), RAW)
    })

    const damages: readonly [what: string, octets: Buffer, code: string][] = [
      [
        'with one octet that is another',
        Buffer.concat([Buffer.from('s'), RAW.subarray(1)]),
        'ARCHIVE_CONFLICT',
      ],
      ['that ends early', RAW.subarray(0, -1), 'ARCHIVE_UNAVAILABLE'],
      ['with more behind it', Buffer.concat([RAW, Buffer.from('x')]), 'ARCHIVE_CONFLICT'],
    ]
    for (const [what, octets, code] of damages)
      test(`a message ${what} is never read to its end`, async () => {
        let got = 0
        const stream = await openRaw(raw('raw/b.eml', octets), open())
        const reading = (async () => {
          for await (const chunk of stream as AsyncIterable<Buffer>) got += chunk.length
        })()
        await assert.rejects(reading, { code })
        assert.ok(got < RAW.length)
      })

    test('an attachment that was extracted is read, and another content is not', async () => {
      const octets = Buffer.from('%PDF')
      const [attachment] = archivedEvent('invoice').data.attachments
      assert.ok(attachment)
      const extracted = {
        ...attachment,
        uri: put('attachments/x', octets),
        octets: 4,
        sha256: sha256(octets),
      }
      assert.deepEqual(await read(openAttachment(archivedEvent('invoice').data, extracted, open())), octets)
      put('attachments/x', Buffer.from('%PDX'))
      await assert.rejects(read(openAttachment(archivedEvent('invoice').data, extracted, open())), {
        code: 'ARCHIVE_CONFLICT',
      })
    })

    for (const sample of sampleMessages().filter(({ name }) => WITH_ATTACHMENTS.includes(name)))
      test(`attachments are read out of the message itself where none was extracted: ${sample.name}`, async () => {
        const { attachments } = await parseMessage(sample.octets)
        assert.ok(attachments.length > 0)
        const { raw: place } = raw(`raw/${sample.name}.eml`, sample.octets, sample.octets)
        for (const attachment of attachments) {
          const octets = await read(openAttachment({ raw: place }, attachment, open()))
          assert.deepEqual([octets.length, sha256(octets)], [attachment.octets, attachment.sha256])
        }
      })

    test('an attachment that was extracted and has expired is read out of the message', async () => {
      const sample = sampleMessages().find(({ name }) => name === 'invoice')
      assert.ok(sample)
      const place = raw('raw/expired.eml', sample.octets, sample.octets)
      const [attachment] = (await parseMessage(sample.octets)).attachments
      assert.ok(attachment)
      const expired = { ...attachment, uri: put('attachments/expired', Buffer.alloc(0)) }
      remove('attachments/expired')

      const octets = await read(openAttachment(place, expired, open()))

      assert.deepEqual([octets.length, sha256(octets)], [attachment.octets, attachment.sha256])
      await assert.rejects(open()({ uri: expired.uri }), { code: 'OBJECT_GONE' })
      const gone = { ...place, raw: { ...place.raw, uri: expired.uri } }
      await assert.rejects(openAttachment(gone, expired, open()), { code: 'OBJECT_GONE' })
      const other = { ...expired, sha256: '0'.repeat(64) }
      await assert.rejects(read(openAttachment(place, other, open())), { code: 'ARCHIVE_CONFLICT' })
    })

    test('an attachment whose message was changed is never read to its end', async () => {
      const sample = sampleMessages().find(({ name }) => name === 'invoice')
      assert.ok(sample)
      const [attachment] = (await parseMessage(sample.octets)).attachments
      assert.ok(attachment)
      const other = { ...attachment, sha256: '0'.repeat(64) }
      const place = raw('raw/changed.eml', sample.octets, sample.octets)
      await assert.rejects(read(openAttachment(place, other, open())), { code: 'ARCHIVE_CONFLICT' })
    })

    test('what an event was cut by is found in the object that it points to', async () => {
      const { data } = archivedEvent('plain')
      const whole = {
        ...data,
        message: { ...data.message, references: Array.from({ length: 500 }, (_, i) => `${i}@x`) },
      }
      const octets = Buffer.from(JSON.stringify(whole))
      const metadata = {
        uri: put('metadata/x', octets),
        key: 'metadata/x',
        sha256: sha256(octets),
        octets: octets.length,
      }
      const cut = { ...data, message: { ...data.message, truncated: true }, metadata }

      assert.deepEqual(await wholeData(cut, open()), whole)
      assert.equal(await wholeData(data, open()), data)
      const other = Buffer.from('{}')
      const wrong = { uri: put('metadata/y', other), key: 'metadata/y', sha256: sha256(other), octets: 2 }
      await assert.rejects(wholeData({ ...cut, metadata: wrong }, open()), { code: 'EVENT_INVALID' })
    })
  })

describe('what is derived', () => {
  const sample = sampleMessages().find(({ name }) => name === 'invoice') ?? assert.fail()
  const raw = {
    uri: 's3://mail/raw/x',
    key: 'raw/x',
    sha256: sha256(sample.octets),
    octets: sample.octets.length,
  }
  /** Reads the message, and refuses what was extracted of it. */
  const refusing =
    (code: ErrorCode): OpenObject =>
    async ({ uri, range }) => {
      if (uri !== raw.uri) throw new IngestError(code, uri)
      return Readable.from([sample.octets.subarray(range?.start ?? 0, range && range.start + range.octets)])
    }
  const attachmentWhere = async (code: ErrorCode): Promise<Readable> => {
    const [attachment] = (await parseMessage(sample.octets)).attachments
    assert.ok(attachment)
    return openAttachment({ raw }, { ...attachment, uri: 's3://derived/x' }, refusing(code))
  }

  for (const code of ['OBJECT_GONE', 'ARCHIVE_DENIED', 'ARCHIVE_MISSING'] as const)
    test(`is read out of the message where S3 answers ${code}, as it does for what is gone`, async () => {
      assert.ok((await read(attachmentWhere(code))).length > 0)
    })

  test('is asked for again, and not read out of the message, where the bucket does not answer', async () => {
    await assert.rejects(attachmentWhere('ARCHIVE_UNAVAILABLE'), { code: 'ARCHIVE_UNAVAILABLE' })
  })
})

describe('nothing is read', () => {
  const place = (uri: string) => ({ raw: { ...archivedEvent('plain').data.raw, uri } })

  test('outside of the folder, wherever an event points', async () => {
    const outside = join(tmpdir(), 'secret')
    for (const uri of [
      pathToFileURL(outside).href,
      `${pathToFileURL(folder).href}/../secret`,
      `${pathToFileURL(folder).href}/%2e%2e/secret`,
      'file:///etc/passwd',
      's3://mail/raw/a.eml',
    ])
      await assert.rejects(openRaw(place(uri), openFileObjects(folder)), { code: 'ARCHIVE_DENIED' }, uri)
  })

  test('out of S3 that is no object of it, and what S3 refuses has a code', async () => {
    for (const uri of ['s3://mail', 's3://mail/', 'https://example.com/x', '../x'])
      await assert.rejects(openRaw(place(uri), openS3Objects(client)), { code: 'ARCHIVE_MISCONFIGURED' })
    await assert.rejects(openRaw(place('s3://mail/nothing'), openS3Objects(client)), (error: Error) =>
      /nothing: 404/.test(error.message),
    )
  })

  test('that is not there, which is told apart from a bucket that is missing, refuses or does not answer', async () => {
    const faults: Record<string, Fault> = {
      denied: { status: 403, code: 'AccessDenied' },
      version: { status: 404, code: 'NoSuchVersion' },
      busy: { status: 503, code: 'SlowDown' },
    }
    const scripted = await startScriptedS3({ mail: {} }, ({ key }) => faults[key])
    const other = new S3Client({
      region: 'us-east-1',
      endpoint: scripted.endpoint,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
    })
    const codeOf = (uri: string) =>
      openS3Objects(other)({ uri }).then(
        () => 'read',
        (error: unknown) => (error instanceof IngestError ? error.code : error),
      )
    try {
      assert.equal(await codeOf('s3://mail/nothing'), 'OBJECT_GONE')
      assert.equal(await codeOf('s3://mail/version'), 'OBJECT_GONE')
      assert.equal(await codeOf('s3://nowhere/x'), 'ARCHIVE_MISSING')
      assert.equal(await codeOf('s3://mail/denied'), 'ARCHIVE_DENIED')
      assert.equal(await codeOf('s3://mail/busy'), 'ARCHIVE_UNAVAILABLE')
    } finally {
      other.destroy()
      await scripted.close()
    }
  })

  test('of a part that the message does not have', async () => {
    const { data } = archivedEvent('invoice')
    const [attachment] = data.attachments
    assert.ok(attachment)
    const message = Buffer.from('Subject: x\r\n\r\nx')
    const raw = { ...data.raw, sha256: sha256(message), octets: message.length }
    for (const partPath of ['7', 'constructor'])
      await assert.rejects(
        openAttachment({ raw }, { ...attachment, partPath }, async () => Readable.from([message])),
        { code: 'EVENT_INVALID' },
      )
  })
})
