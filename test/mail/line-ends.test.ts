import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LineEnds } from '../../shared/mail/line-ends.ts'
import { cutAt, everyCut, singleOctets } from '../support/pieces.ts'

function pass(pieces: readonly Buffer[]): { readonly octets: string; readonly bareCr: boolean } {
  const lineEnds = new LineEnds()
  const passed: Buffer[] = pieces.map((piece) => Buffer.from(lineEnds.pass(piece)))
  passed.push(lineEnds.rest())
  return { octets: Buffer.concat(passed).toString('latin1'), bareCr: lineEnds.bareCr }
}

describe('line ends', () => {
  const MESSAGES: readonly (readonly [string, string, string, boolean])[] = [
    ['CRLF stays', 'a: b\r\n\r\nc\rd\r\n', 'a: b\r\n\r\nc\rd\r\n', false],
    ['LF stays', 'a: b\n\nc\rd', 'a: b\n\nc\rd', false],
    ['CR alone becomes LF', 'a: b\r\rc\rd', 'a: b\n\nc\nd', true],
    ['no line end at all stays', 'a: b', 'a: b', false],
    ['one CR becomes LF', '\r', '\n', true],
    ['nothing stays', '', '', false],
  ]
  for (const [what, message, read, bareCr] of MESSAGES)
    test(`${what}, however it is cut`, () => {
      for (const pieces of everyCut(Buffer.from(message)))
        assert.deepEqual(pass(pieces), { octets: read, bareCr })
    })

  test('are decided on within the first 64 KiB, however they are cut', () => {
    const late = Buffer.concat([Buffer.alloc(70_000, 'x\r'), Buffer.from('\ny\rz')])
    const early = Buffer.concat([
      Buffer.alloc(60_000, 'x\r'),
      Buffer.from('\ny\rz'),
      Buffer.alloc(20_000, 'x\r'),
    ])

    for (const pieces of [[late], cutAt(late, [10, 65_535, 65_536, 65_537]), singleOctets(late)]) {
      const { octets, bareCr } = pass(pieces)
      assert.equal(bareCr, true)
      assert.equal(octets, late.toString('latin1').replaceAll('\r', '\n'))
    }
    for (const pieces of [[early], cutAt(early, [10, 65_536]), singleOctets(early)])
      assert.deepEqual(pass(pieces), { octets: early.toString('latin1'), bareCr: false })
  })

  test('of octets that the caller goes on using are changed in a copy', () => {
    const octets = Buffer.from('a\rb')

    assert.equal(pass([octets]).octets, 'a\nb')
    assert.equal(octets.toString(), 'a\rb')
  })
})
