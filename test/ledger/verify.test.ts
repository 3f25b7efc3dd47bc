import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Archive } from '../../shared/archive/archive.ts'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import type { DrainId } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { verifyLedger } from '../../shared/ledger/verify.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { digestOf, draftOf, MAILBOX, messageEntry } from '../support/segments.ts'

async function archiveOf(recorded: readonly string[], stored: readonly string[]): Promise<Archive> {
  const archive = openMemoryArchive()
  const writtenFor = { seq: 1, drain: 'drain-1' as DrainId }
  for (const text of stored)
    await archive.put(rawKey(MAILBOX, digestOf(text)), memoryOctets(Buffer.from(text)), {
      contentType: 'message/rfc822',
      writtenFor,
    })
  const ledger = await openLedger(MAILBOX, { archive, state: undefined })
  for (const [index, text] of recorded.entries())
    await ledger.commit(draftOf([messageEntry(text, { id: index + 1 })]), undefined)
  return archive
}

test('a ledger whose objects are all there verifies, each message counted once', async () => {
  const archive = await archiveOf(['a', 'bb', 'a'], ['a', 'bb'])

  const { problems, unrecorded, segments, messages, octets, head } = await verifyLedger(MAILBOX, archive)

  assert.deepEqual(
    { problems, unrecorded, segments, messages, octets },
    { problems: [], unrecorded: [], segments: 3, messages: 2, octets: 3 },
  )
  assert.equal(head, (await archive.find(ledgerKey(MAILBOX, 3)))?.sha256)
})

test('an object that the ledger names and the archive lacks is named', async () => {
  const { problems } = await verifyLedger(MAILBOX, await archiveOf(['a', 'bb'], ['a']))

  assert.deepEqual(
    problems.map(({ kind, key }) => [kind, key]),
    [['object-missing', rawKey(MAILBOX, digestOf('bb'))]],
  )
})

test('an object of another length than recorded is named', async () => {
  const archive = await archiveOf(['a'], ['a'])
  const list: Archive['list'] = async function* (prefix, after) {
    for await (const object of archive.list(prefix, after)) yield { ...object, octets: object.octets + 1 }
  }

  const { problems } = await verifyLedger(MAILBOX, { ...archive, list })

  assert.deepEqual(
    problems.map(({ kind, reason }) => [kind, reason]),
    [['octets-differ', '2 octets; the ledger has 1']],
  )
})

test('an object that no segment names is listed, and is not a problem', async () => {
  const { problems, unrecorded } = await verifyLedger(MAILBOX, await archiveOf(['a'], ['a', 'bb']))

  assert.deepEqual([problems, unrecorded], [[], [rawKey(MAILBOX, digestOf('bb'))]])
})

test('a broken chain is a problem, and the objects of the rest are still compared', async () => {
  const archive = await archiveOf(['a', 'bb'], ['a', 'bb'])
  const without = ledgerKey(MAILBOX, 1)
  const list: Archive['list'] = async function* (prefix, after) {
    for await (const object of archive.list(prefix, after)) if (object.key !== without) yield object
  }

  const { problems } = await verifyLedger(MAILBOX, { ...archive, list })

  assert.deepEqual(
    problems.map(({ kind, key }) => [kind, key]),
    [['chain', ledgerKey(MAILBOX, 1)]],
  )
})

test('an archive that does not answer is an error, not a finding', async () => {
  const archive = await archiveOf(['a'], ['a'])
  // biome-ignore lint/correctness/useYield: it fails before its first object
  const list: Archive['list'] = async function* () {
    throw new Error('defect')
  }
  await assert.rejects(verifyLedger(MAILBOX, { ...archive, list }), /defect/)
})
