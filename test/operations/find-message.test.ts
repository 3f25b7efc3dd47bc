import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Archive, PutOptions } from '../../shared/archive/archive.ts'
import { openFileArchive } from '../../shared/archive/file.ts'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import { archivedEventId } from '../../shared/contract/event.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey } from '../../shared/contract/object-key.ts'
import { memoryOctets, type Octets } from '../../shared/octets.ts'
import { findMessages } from '../../shared/operations/find-message.ts'

const [ORDERS, INVOICES] = [mailboxId('orders'), mailboxId('invoices')]
const BOTH = [ORDERS, INVOICES]
const folder = mkdtempSync(join(tmpdir(), 'mailsluice-find-'))
after(() => rmSync(folder, { recursive: true }))

/** Two messages whose SHA-256 begin alike. */
function alike(digits: number): [Octets, Octets] {
  const seen = new Map<string, Octets>()
  for (let number = 0; ; number++) {
    const octets = memoryOctets(Buffer.from(`message ${number}`))
    const start = octets.sha256.slice(0, digits)
    const other = seen.get(start)
    if (other) return [other, octets]
    seen.set(start, octets)
  }
}

const [FIRST, SECOND] = alike(6)
const SHARED = memoryOctets(Buffer.from('in both mailboxes'))
const ABSENT = memoryOctets(Buffer.from('nowhere'))

for (const [name, archive] of [
  ['memory', openMemoryArchive()],
  ['files', openFileArchive(folder)],
] satisfies [string, Archive][])
  describe(`a message in an archive of ${name}`, () => {
    before(async () => {
      const options: PutOptions = {
        contentType: 'message/rfc822',
        writtenFor: { seq: 1, drain: 'd' as DrainId },
      }
      for (const octets of [FIRST, SECOND, SHARED])
        await archive.put(rawKey(ORDERS, octets.sha256), octets, options)
      await archive.put(rawKey(INVOICES, SHARED.sha256), SHARED, options)
    })

    const keysOf = async (id: string, mailboxes = BOTH) =>
      (await findMessages(id, mailboxes, archive))?.map(({ key }) => key)
    const first = rawKey(ORDERS, FIRST.sha256)

    for (const [by, id] of [
      ['its SHA-256', FIRST.sha256],
      ['its SHA-256 in capitals', FIRST.sha256.toUpperCase()],
      ['the first digits that it has alone', FIRST.sha256.slice(0, 12)],
      ['the id of its event', archivedEventId(ORDERS, FIRST.sha256)],
      ['mailbox and first digits', `orders/${FIRST.sha256.slice(0, 12)}`],
      ['its key', first],
    ])
      test(`is found by ${by}`, async () => assert.deepEqual(await keysOf(id as string), [first]))

    test('is found with its size and digest', async () => {
      const [facts] = (await findMessages(FIRST.sha256, BOTH, archive)) ?? []
      assert.deepEqual([facts?.octets, facts?.sha256], [FIRST.length, FIRST.sha256])
    })

    test('whose first digits another one shares is found with it', async () => {
      assert.deepEqual(
        new Set(await keysOf(FIRST.sha256.slice(0, 6))),
        new Set([first, rawKey(ORDERS, SECOND.sha256)]),
      )
    })

    test('that is in two mailboxes is found in both, or in the one that is asked for', async () => {
      const keys = [rawKey(ORDERS, SHARED.sha256), rawKey(INVOICES, SHARED.sha256)]
      assert.deepEqual(await keysOf(SHARED.sha256), keys)
      assert.deepEqual(await keysOf(SHARED.sha256.slice(0, 8)), keys)
      assert.deepEqual(await keysOf(`invoices/${SHARED.sha256}`), [keys[1]])
      assert.deepEqual(await keysOf(SHARED.sha256, [ORDERS]), [keys[0]])
    })

    test('that is not there, or not in this mailbox, is not found', async () => {
      for (const id of [
        ABSENT.sha256,
        ABSENT.sha256.slice(0, 20),
        `invoices/${FIRST.sha256}`,
        `nobody/${FIRST.sha256}`,
      ])
        assert.deepEqual(await keysOf(id), [], id)
    })

    test('has to be named: too few digits, and what are none, are no id', async () => {
      const { sha256 } = FIRST
      for (const id of [
        '',
        sha256.slice(0, 5),
        `${sha256}0`,
        'message',
        `a/orders/${sha256}`,
        `${sha256}/`,
        '../../etc/passwd',
        ledgerKey(ORDERS, 1),
      ])
        assert.equal(await keysOf(id), undefined, id)
    })
  })
