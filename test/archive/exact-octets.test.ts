import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { octetsToStore, storedOctets } from '../../shared/archive/exact-octets.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { isCode } from '../contract/archive.ts'

const WHOLE = memoryOctets(randomBytes(1000))
const content = WHOLE.buffer as Buffer
const EXPECTED = { octets: 1000, sha256: WHOLE.sha256 }

describe('a stored object', () => {
  test('is passed on as it is, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1000 })), async (cuts) => {
        const read = storedOctets('here', cut(content, cuts), EXPECTED)

        assert.deepEqual(await buffer(read), content)
      }),
    )
  })

  test('that is another one fails before its last octet', async () => {
    const other = Buffer.from(content)
    other[0] = (other[0] ?? 0) ^ 1

    assert.equal(await readUntil(storedOctets('here', cut(other, [400]), EXPECTED), 'ARCHIVE_CONFLICT'), 400)
  })

  test('that is too long fails before its last octet', async () => {
    const longer = Buffer.concat([content, Buffer.from('x')])

    assert.ok(
      (await readUntil(storedOctets('here', cut(longer, [1000]), EXPECTED), 'ARCHIVE_CONFLICT')) < 1000,
    )
  })

  test('that ends early may be whole the next time', async () => {
    const read = storedOctets('here', cut(content.subarray(0, 999), [400]), EXPECTED)

    assert.ok((await readUntil(read, 'ARCHIVE_UNAVAILABLE')) < 999)
  })

  test('without a known SHA-256 is held to its length', async () => {
    const expected = { octets: 1000, sha256: undefined }

    assert.deepEqual(await buffer(storedOctets('here', cut(content, [1]), expected)), content)
    await readUntil(storedOctets('here', cut(content.subarray(1), [1]), expected), 'ARCHIVE_UNAVAILABLE')
  })

  test('whose connection breaks is ARCHIVE_UNAVAILABLE', async () => {
    const source = new Readable({
      read() {
        this.destroy(new Error('gone'))
      },
    })

    await readUntil(storedOctets('here', source, EXPECTED), 'ARCHIVE_UNAVAILABLE')
  })

  test('that nobody reads to its end lets go of its source', async () => {
    for (const started of [false, true]) {
      const source = cut(content, [100, 200])
      const read = storedOctets('here', source, EXPECTED)
      if (started) await once(read, 'readable')

      read.destroy()
      if (!source.closed) await new Promise((resolve) => source.once('close', resolve))

      assert.equal(source.destroyed, true)
    }
  })
})

test('octets to store let go of their spool, also when they are left half read', async () => {
  const source = cut(content, [100, 200])
  const octets = octetsToStore('key', { ...WHOLE, buffer: undefined, open: () => source })

  await octets.next()
  await octets.return(undefined)

  assert.equal(source.destroyed, true)
})

function cut(octets: Buffer, cuts: readonly number[]): Readable {
  const places = [0, ...[...cuts].sort((a, b) => a - b), octets.length]
  return Readable.from(places.slice(1).map((end, i) => octets.subarray(places[i], end)))
}

/** Octets that came before the failure. */
async function readUntil(stream: Readable, code: Parameters<typeof isCode>[0]): Promise<number> {
  let length = 0
  await assert.rejects(async () => {
    for await (const chunk of stream) length += (chunk as Buffer).length
  }, isCode(code))
  return length
}
