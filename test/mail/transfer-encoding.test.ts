import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { transferDecoder } from '../../shared/mail/transfer-encoding.ts'
import { decodePieces } from '../support/decode.ts'

describe('a transfer encoding', () => {
  test('of those that change nothing hands the octets on as they are', () => {
    const octets = Buffer.from('=3D \r\n\0\xff YQ==', 'latin1')

    for (const encoding of ['', '7bit', '8bit', 'binary'])
      assert.deepEqual(decodePieces(encoding, [octets.subarray(0, 3), octets.subarray(3)]), octets)
  })

  test('is known by its standard name alone', () => {
    for (const encoding of ['x-uuencode', 'uuencode', 'x-gzip64', 'base-64', 'BASE64', 'constructor'])
      assert.equal(
        transferDecoder(encoding, () => {}),
        undefined,
      )
  })
})
