import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { quoteFromLines, unquoteFromLine } from '../../shared/mail/mbox-quoting.ts'

async function quoted(text: string, cuts: readonly number[] = []): Promise<string> {
  const content = Buffer.from(text, 'latin1')
  const ends = [...new Set(cuts.map((cut) => cut % (content.length + 1)))].sort((a, b) => a - b)
  const chunks = [...ends, content.length].map((end, index) => content.subarray(ends[index - 1] ?? 0, end))
  const parts = await Array.fromAsync(quoteFromLines(chunks.values() as unknown as AsyncIterable<Buffer>))
  return Buffer.concat(parts).toString('latin1')
}

/** What the manual page says, for a text in memory. */
const reference = (text: string): string => text.replace(/(^|\n)(>*From )/g, '$1>$2')

const piece = fc.constantFrom('From ', '>', '>>', '\n', '\r\n', 'F', 'Fro', 'm ', ' ', 'x', 'From: ')
const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))

describe('the lines of an mbox', () => {
  test('that begin with From are quoted, wherever chunks are cut', async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(), { maxLength: 8 }), async (content, cuts) => {
        assert.equal(await quoted(content, cuts), reference(content))
      }),
      { numRuns: 2000 },
    )
  })

  test('come back as they were', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (content) => {
        const lines = (await quoted(content)).split('\n')
        const back = lines.map((line) => unquoteFromLine(Buffer.from(line, 'latin1')).toString('latin1'))
        assert.equal(back.join('\n'), content)
      }),
      { numRuns: 1000 },
    )
  })
})
