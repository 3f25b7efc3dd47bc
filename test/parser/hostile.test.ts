import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parseHeaderOnly } from '../../shared/mail/message-header.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'
import { archivedData } from '../support/archived-event.ts'
import { HOSTILE_MESSAGES } from '../support/hostile-messages.ts'
import { parseAlone } from '../support/parse-alone.ts'

/** A process with the parser open, and what a parse may take beside; it reads hundreds of megabytes here. */
const BOUND_MIB = 300

/** What is expected besides a valid event. */
const EXPECTED: Readonly<Record<string, string>> = {
  'nothing at all': 'NO_HEADER',
  '10,000 nested multiparts': 'TOO_DEEP',
  '20,000 parts': 'TOO_MANY_PARTS',
  '20,000 empty parts': 'TOO_MANY_PARTS',
  'a boundary that never closes over 20 MB': 'TRUNCATED_MULTIPART',
  '10 MB of bare CR': 'NO_HEADER',
  '10 MB of NUL': 'NO_HEADER',
  '100,000 fields': 'HEADER_TOO_LARGE',
  'a field of 10 MB in one line': 'HEADER_TOO_LARGE',
  '1,000,000 addresses': 'HEADER_TOO_LARGE',
  '40,000 continuations of a file name': 'HEADER_TOO_LARGE',
  'a preamble of 20 MB': 'MISSING_PARTS',
}

describe('a hostile message', { skip: process.platform !== 'linux' && 'reads /proc' }, () => {
  let folder = ''
  const parsed = new Map<string, ParsedMessage>()
  let maxRssMib = 0

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailsluice-test-'))
    const paths: string[] = []
    for (const [index, { make }] of HOSTILE_MESSAGES.entries()) {
      paths.push(join(folder, `${index}.eml`))
      await writeFile(paths[index] as string, make())
    }
    const alone = await parseAlone(...paths)
    for (const [index, { name }] of HOSTILE_MESSAGES.entries())
      parsed.set(name, alone.parsed[index] as ParsedMessage)
    maxRssMib = alone.maxRssMib
  })
  after(() => rm(folder, { recursive: true, force: true }))

  for (const { name, make } of HOSTILE_MESSAGES)
    test(`is read within deadline and memory, and its event is valid: ${name}`, () => {
      const { parse } = archivedData(parsed.get(name) ?? assert.fail('it was parsed'))
      assert.notEqual(parse.status, 'failed', parse.code)
      if (EXPECTED[name] !== undefined) assert.equal(parse.code, EXPECTED[name])

      // What would be said of it, had it failed all the same.
      assert.equal(archivedData(parseHeaderOnly(make(), 'TIMED_OUT')).parse.code, 'TIMED_OUT')
    })

  test('takes no more memory than others: all of them, one after the other', () => {
    assert.ok(maxRssMib > 0 && maxRssMib < BOUND_MIB, `${maxRssMib} MiB`)
    console.log(`# hostile messages: ${maxRssMib} MiB`)
  })

  test('cannot bring a header field, a path or a hidden character in by a file name', () => {
    const names = (name: string): (string | undefined)[] =>
      archivedData(parsed.get(name) ?? assert.fail(name)).attachments.map((attachment) => attachment.name)

    assert.deepEqual(names('a line break in an encoded file name'), ['aSubject_ bfdp.exe'])
    assert.deepEqual(names('a path in a file name'), ['passwd'])
    for (const name of names('header fields in a file name')) assert.doesNotMatch(name ?? '', /[\r\n]/)
    assert.equal(
      archivedData(parsed.get('header fields in a file name') as ParsedMessage).message.bcc.length,
      0,
    )
  })
})
