import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { PARSER } from '../../shared/limits.ts'
import { memoryOctets, type Octets, openSpool } from '../../shared/octets.ts'
import { readHeaderOnly } from '../../shared/parser/header-fallback.ts'

async function* pieces(octets: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += length) yield octets.subarray(at, at + length)
}

describe('the header of a message that was given up', () => {
  test('is read in memory and in a spool file alike, up to its limit', async () => {
    const spool = openSpool()
    try {
      for (const [before, subject] of [
        [0, 'x'],
        [PARSER.headerOctets - 100, 'x'],
        [PARSER.headerOctets, undefined],
      ] as const) {
        const octets = Buffer.from(
          `X-Padding: ${'y'.repeat(before)}\r\nSubject: x\r\n\r\n${'body\r\n'.repeat(500_000)}`,
        )
        for (const held of [memoryOctets(octets), await spool.collect(pieces(octets, 100_000), 1)]) {
          const { message, parse } = await readHeaderOnly(held, 'TIMED_OUT')
          assert.equal(message.subject, subject)
          assert.equal(parse.code, 'TIMED_OUT')
        }
      }
    } finally {
      await spool.close()
    }
  })

  test('is all that is read: a file without an end has a header too', async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from('Subject: x\r\n\r\n')
      while (true) yield Buffer.alloc(64 * 1024)
    }
    const octets: Octets = {
      ...memoryOctets(Buffer.alloc(0)),
      buffer: undefined,
      path: '/endless.eml',
      open: () => Readable.from(endless()),
    }

    assert.equal((await readHeaderOnly(octets, 'TIMED_OUT')).message.subject, 'x')
  })

  test('in a spool file that is gone is SPOOL_FAILED', async () => {
    const spool = openSpool()
    const octets: Octets = await spool.collect(pieces(Buffer.alloc(100), 10), 1)
    await spool.close()

    await assert.rejects(readHeaderOnly(octets, 'TIMED_OUT'), { code: 'SPOOL_FAILED', scope: 'session' })
  })
})
