import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import { attachmentKey } from '../../shared/contract/object-key.ts'
import { openS3Derived } from '../../shared/derived/s3.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { isCode } from '../contract/archive.ts'
import { derivedContract } from '../contract/derived.ts'
import { type Fault, type ScriptedS3, startScriptedS3 } from '../support/scripted-s3.ts'

// Faults of S3 and of the way to it. The promises are held on real engines too: test/interop/s3.interop.ts.

const CLIENT = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  backOffMs: 1,
}

async function open(fault?: (nth: number) => Fault | undefined, bucket = 'derived') {
  const s3: ScriptedS3 = await startScriptedS3({ derived: {} }, (_, nth) => fault?.(nth))
  const derived = openS3Derived({ ...CLIENT, bucket, endpoint: s3.endpoint })
  const close = async (): Promise<void> => {
    derived.close()
    await s3.close()
  }
  return { s3, derived, close }
}

derivedContract('the scripted S3', async () => {
  const { s3, derived, close } = await open()
  return { derived, read: async (key) => s3.buckets.get('derived')?.objects.get(key)?.content, close }
})

describe('derived objects in S3', () => {
  const running: (() => Promise<void>)[] = []
  after(() => Promise.all(running.map((close) => close())))
  const opened = async (...arguments_: Parameters<typeof open>) => {
    const world = await open(...arguments_)
    running.push(world.close)
    return world
  }

  const body = memoryOctets(Buffer.from('<script>octets of a stranger</script>'))
  const key = attachmentKey(mailboxId('invoices'), body.sha256)

  test('are put without a condition, so that their age begins anew, and as nothing that a browser shows', async () => {
    const { s3, derived } = await opened()

    await derived.put(key, body)
    await derived.put(key, body)

    assert.equal(s3.requests.length, 2)
    for (const { headers } of s3.requests) {
      assert.equal(headers['if-none-match'], undefined)
      assert.equal(headers['content-type'], 'application/octet-stream')
      assert.equal(headers['content-disposition'], 'attachment')
    }
  })

  for (const fault of ['lose the answer', 'break', { status: 503, code: 'SlowDown' }] as const)
    test(`are put again after a fault: ${JSON.stringify(fault)}`, async () => {
      const { s3, derived } = await opened((nth) => (nth === 1 ? fault : undefined))

      await derived.put(key, body)

      assert.deepEqual(s3.buckets.get('derived')?.objects.get(key)?.content, body.buffer)
    })

  test('whose bucket is missing, or may not be written to, are an error that says so', async () => {
    const missing = await opened(undefined, 'elsewhere')
    await assert.rejects(missing.derived.put(key, body), isCode('ARCHIVE_MISSING'))

    const denied = await opened(() => ({ status: 403, code: 'AccessDenied' }))
    await assert.rejects(denied.derived.put(key, body), isCode('ARCHIVE_DENIED'))
  })
})
