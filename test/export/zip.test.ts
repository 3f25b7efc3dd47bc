import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { openZip } from '../../shared/export/zip.ts'
import { memoryOctets, type Octets, openSpool } from '../../shared/octets.ts'
import { without } from '../support/programs.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailsluice-zip-'))
const spool = openSpool()
after(async () => {
  rmSync(folder, { recursive: true, force: true })
  await spool.close()
})

async function zipOf(
  name: string,
  entries: Iterable<readonly [name: string, octets: Octets]>,
): Promise<string> {
  const file = join(folder, name)
  const zip = await openZip(file)
  for (const [entry, octets] of entries) await zip.add(entry, octets)
  const sha256 = await zip.end()
  assert.equal(sha256, createHash('sha256').update(readFileSync(file)).digest('hex'))
  return file
}

const unzip = (...words: string[]): Buffer => execFileSync('unzip', words, { maxBuffer: 1 << 28 })
const text = (content: string): Octets => memoryOctets(Buffer.from(content, 'latin1'))

describe('a ZIP file', { skip: without('unzip') }, () => {
  test('is read by unzip octet by octet, an empty entry, a large one and a name that is not ASCII included', async () => {
    const large = Buffer.alloc(700_000, 'line\r\n')
    const file = await zipOf('whole.zip', [
      ['empty', text('')],
      ['a/large.eml', memoryOctets(large)],
      ['a/\u00fc.eml', text('\x00\xff\r\n')],
    ])

    assert.match(unzip('-tq', file).toString(), /^No errors detected/)
    assert.deepEqual(unzip('-Z1', file).toString().split('\n'), ['empty', 'a/large.eml', 'a/\u00fc.eml', ''])
    assert.deepEqual(unzip('-p', file, 'a/large.eml'), large)
    assert.equal(unzip('-p', file, 'a/\u00fc.eml').toString('latin1'), '\x00\xff\r\n')
    execFileSync('unzip', ['-q', file, '-d', join(folder, 'unpacked')])
    assert.equal(statSync(join(folder, 'unpacked/a/large.eml')).mode & 0o777, 0o644)
  })

  test('is the same whether its octets came from memory or from disk', async () => {
    const content = Buffer.from('0123456789'.repeat(20_000))
    const onDisk = await spool.collect(Readable.from([content]), 1)
    assert.notEqual(onDisk.path, undefined)
    const [a, b] = [
      await zipOf('a.zip', [['x', memoryOctets(content)]]),
      await zipOf('b.zip', [['x', onDisk]]),
    ]

    assert.deepEqual(readFileSync(a), readFileSync(b))
  })

  test('has more entries than a ZIP without ZIP64 can count', async () => {
    const one = text('x')
    const file = await zipOf(
      'many.zip',
      Array.from({ length: 66_000 }, (_, n) => [`${n}`, one] as const),
    )

    assert.match(unzip('-Zt', file).toString(), /^66000 files, 66000 bytes uncompressed/)
    assert.equal(unzip('-p', file, '65999').toString(), 'x')
  })
})
