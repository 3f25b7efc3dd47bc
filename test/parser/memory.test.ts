import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { PARSER } from '../../shared/limits.ts'
import { parseAlone } from '../support/parse-alone.ts'
import { largeMessage } from '../support/sample-messages.ts'

const MIB = 1024 * 1024
/** A process with the parser open, and what a parse may take beside: a chunk or two, a text, and what is waiting for the collector. */
const BOUND_MIB = 240

describe('the memory of a process that parses', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailsluice-test-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  /** A message with this body, repeated up to about so many octets. */
  async function write(name: string, head: string, block: Buffer, octets: number): Promise<string> {
    const path = join(folder, name)
    const file = createWriteStream(path)
    file.write(head)
    for (let written = 0; written < octets; written += block.length)
      if (!file.write(block)) await once(file, 'drain')
    file.end()
    await once(file, 'close')
    return path
  }

  test('is bounded for an attachment in 150 MB, which is measured and not held', async () => {
    const path = join(folder, 'attachment.eml')
    await writeFile(path, largeMessage(150 * MIB))

    const { parsed, spooled, maxRssMib } = await parseAlone(path)

    assert.deepEqual(spooled, [true])
    assert.equal(parsed[0]?.parse.status, 'parsed')
    const octets = parsed[0]?.attachments[0]?.octets ?? 0
    assert.ok(octets > 100 * MIB, `${octets}`)
    assert.ok(maxRssMib < BOUND_MIB, `${maxRssMib} MiB`)
    console.log(`# 150 MB with an attachment: ${maxRssMib} MiB`)
  })

  for (const type of ['text/plain', 'text/html'])
    test(`is bounded for a body of 150 MB ${type}, of which the start is read`, async () => {
      const block = Buffer.from('<p>a line of the text, <b>and</b> more of it</p>\r\n'.repeat(20_000))
      const path = await write('text.eml', `Subject: x\r\nContent-Type: ${type}\r\n\r\n`, block, 150 * MIB)

      const { parsed, maxRssMib } = await parseAlone(path)

      assert.equal(parsed[0]?.parse.status, 'parsed')
      assert.equal(parsed[0]?.text.truncated, true)
      assert.ok((parsed[0]?.text.preview.length ?? 0) > PARSER.previewCharacters / 2)
      assert.ok(maxRssMib < BOUND_MIB, `${maxRssMib} MiB`)
      console.log(`# 150 MB of ${type}: ${maxRssMib} MiB`)
    })

  test('is bounded for a thousand messages one after the other, and the process ends by itself', async () => {
    const path = join(folder, 'small.eml')
    await writeFile(path, largeMessage(100_000))

    const { parsed, spooled, maxRssMib } = await parseAlone(...Array<string>(1000).fill(path))

    assert.equal(parsed.length, 1000)
    assert.ok(spooled.every((is) => !is))
    assert.ok(maxRssMib < BOUND_MIB, `${maxRssMib} MiB`)
  })
})
