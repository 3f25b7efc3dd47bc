import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { ObjectKey } from '../../shared/contract/ids.ts'
import { openS3State, type S3State } from '../../shared/state/s3.ts'
import type { Revision } from '../../shared/state/state.ts'
import { isCode } from '../contract/archive.ts'
import { type Fault, type ScriptedS3, startScriptedS3 } from '../support/scripted-s3.ts'

// Faults of S3 and of the way to it. The promises themselves are held on real engines: test/interop/s3.interop.ts.

const KEY = 'mailboxes.json' as ObjectKey
const CLIENT = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  backOffMs: 1,
}

const running: (() => unknown)[] = []
after(() => Promise.all(running.map((close) => close())))

/** The fault for the `nth` PUT. */
async function withFault(
  nth: number,
  fault: Fault,
  bucket = 'state',
): Promise<{ s3: ScriptedS3; state: S3State }> {
  const s3 = await startScriptedS3({ state: {} }, ({ operation }, count) =>
    operation === 'PutObject' && count === nth ? fault : undefined,
  )
  const state = openS3State({ ...CLIENT, bucket, endpoint: s3.endpoint })
  running.push(
    () => state.close(),
    () => s3.close(),
  )
  return { s3, state }
}

describe('state in S3', () => {
  test('a write whose answer got lost was ours', async () => {
    const { state } = await withFault(2, 'lose the answer')
    await state.write(KEY, Buffer.from('1'), undefined)
    const revision = (await state.read(KEY))?.revision as Revision

    assert.equal(await state.write(KEY, Buffer.from('2'), revision), true)
    assert.equal(String((await state.read(KEY))?.content), '2')
  })

  test('a write that was cut off while somebody else wrote is not ours', async () => {
    const { s3, state } = await withFault(2, 'break')
    await state.write(KEY, Buffer.from('1'), undefined)
    const revision = (await state.read(KEY))?.revision as Revision
    s3.buckets
      .get('state')
      ?.objects.set(KEY, { content: Buffer.from('theirs'), headers: { etag: '"theirs"' } })

    assert.equal(await state.write(KEY, Buffer.from('ours'), revision), false)
  })

  test('a write is not ours when somebody wrote the same before', async () => {
    const { state } = await withFault(0, 'break')
    await state.write(KEY, Buffer.from('1'), undefined)

    assert.equal(await state.write(KEY, Buffer.from('1'), undefined), false)
  })

  test('a write refused for the moment is repeated', async () => {
    const { state } = await withFault(1, { status: 409, code: 'ConditionalRequestConflict' })

    assert.equal(await state.write(KEY, Buffer.from('1'), undefined), true)
  })

  test('a denied write is ARCHIVE_DENIED', async () => {
    const { state } = await withFault(1, { status: 403, code: 'AccessDenied' })

    await assert.rejects(state.write(KEY, Buffer.from('1'), 'any'), isCode('ARCHIVE_DENIED'))
  })

  test('an entry that did not change is asked for and not sent', async () => {
    const { s3, state } = await withFault(0, 'break')
    await state.write(KEY, Buffer.from('1'), undefined)
    const known = (await state.read(KEY))?.revision as Revision

    assert.equal(await state.readIfChanged(KEY, known), 'unchanged')
    assert.equal(s3.requests.at(-1)?.headers['if-none-match'], known)

    await state.write(KEY, Buffer.from('2'), known)
    const entry = await state.readIfChanged(KEY, known)
    assert.equal(entry !== 'unchanged' && String(entry?.content), '2')
  })

  test('a missing bucket is ARCHIVE_MISSING, for reads too', async () => {
    const { state } = await withFault(0, 'break', 'other')

    await assert.rejects(state.read(KEY), isCode('ARCHIVE_MISSING'))
    await assert.rejects(state.write(KEY, Buffer.from('1'), 'any'), isCode('ARCHIVE_MISSING'))
    await assert.rejects(state.write(KEY, Buffer.from('1'), '"x"' as Revision), isCode('ARCHIVE_MISSING'))
  })
})
