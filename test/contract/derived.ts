import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { mailboxId, type ObjectKey } from '../../shared/contract/ids.ts'
import { attachmentKey } from '../../shared/contract/object-key.ts'
import type { DerivedStore } from '../../shared/derived/derived.ts'
import { memoryOctets, type OctetsToStore } from '../../shared/octets.ts'
import { isCode } from './archive.ts'

// What every derived store promises (shared/derived/derived.ts), run on each of them.

export interface OpenedDerived {
  readonly derived: DerivedStore
  /** As somebody else reads it; undefined when there is none. */
  read(key: ObjectKey): Promise<Buffer | undefined>
  close(): Promise<void>
}

const MAILBOX = mailboxId('invoices')

/** As extracted attachments are: in pieces, and in no buffer. */
function streamed(content: Buffer, pieces: () => Iterable<Buffer> = () => [content]): OctetsToStore {
  const { length, sha256 } = memoryOctets(content)
  return { length, sha256, open: () => Readable.from(pieces(), { objectMode: false }) }
}

export function derivedContract(name: string, open: () => Promise<OpenedDerived>): void {
  describe(`${name} keeps the derived store's promises`, () => {
    let opened: OpenedDerived
    before(async () => {
      opened = await open()
    })
    after(() => opened.close())

    const stored = async (body: OctetsToStore): Promise<ObjectKey> => {
      const key = attachmentKey(MAILBOX, body.sha256)
      await opened.derived.put(key, body)
      return key
    }

    test('an object is read as it was stored, from memory and from a stream', async () => {
      const [held, large] = [randomBytes(1000), randomBytes(3_000_000)]
      const half = large.length / 2

      assert.deepEqual(await opened.read(await stored(memoryOctets(held))), held)
      const key = await stored(streamed(large, () => [large.subarray(0, half), large.subarray(half)]))
      assert.deepEqual(await opened.read(key), large)
    })

    test('an object is stored again under its key, also by two at once', async () => {
      const content = randomBytes(100_000)

      await stored(streamed(content))
      const [key] = await Promise.all([stored(streamed(content)), stored(streamed(content))])

      assert.deepEqual(await opened.read(key), content)
    })

    test('octets that are not what was announced are never an object', async () => {
      const content = randomBytes(1000)
      const other = randomBytes(1000)
      for (const pieces of [
        () => [content.subarray(0, 999)],
        () => [content, Buffer.from('x')],
        () => [other],
        function* () {
          yield content.subarray(0, 10)
          throw new Error('the disk is gone')
        },
      ]) {
        const body = streamed(content, pieces)

        await assert.rejects(stored(body), isCode('ARCHIVE_UNAVAILABLE'))
        assert.equal(await opened.read(attachmentKey(MAILBOX, body.sha256)), undefined)
      }
    })

    test('an object has a URI that ends in its key', () => {
      const key = attachmentKey(MAILBOX, memoryOctets(Buffer.from(randomUUID())).sha256)

      assert.ok(new URL(opened.derived.uri(key)).pathname.endsWith(key))
    })

    test('a key that leads elsewhere is refused', async () => {
      for (const key of ['../a', 'a/../../b', '/a', 'a//b', ''])
        await assert.rejects(opened.derived.put(key as ObjectKey, memoryOctets(Buffer.from('x'))), TypeError)
    })
  })
}
