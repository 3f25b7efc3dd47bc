import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import type { DrainId, MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { parseLedgerKey } from '../../shared/contract/object-key.ts'
import { type Outcome, SegmentWriter } from '../../shared/drain/segment-writer.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { MessageEntry } from '../../shared/ledger/segment.ts'
import { DRAIN } from '../../shared/limits.ts'
import { digestOf, ledgerEntries } from '../support/stores.ts'

const MAILBOX = 'invoices' as MailboxId

/** A writer over a ledger in memory, and what happened in which order: `sent 3`, `written 1`. */
async function open({ slowly }: { readonly slowly?: Promise<void> } = {}) {
  const archive = openMemoryArchive()
  const happened: string[] = []
  const sizes: number[] = []
  const put: typeof archive.put = async (key, ...rest) => {
    await slowly
    const result = await archive.put(key, ...rest)
    happened.push(`written ${parseLedgerKey(key)?.seq}`)
    return result
  }
  const writer = new SegmentWriter({
    ledger: await openLedger(MAILBOX, { archive: { ...archive, put }, state: undefined }),
    drain: 'drain' as DrainId,
    afterArchive: 'keep',
    retention: undefined,
    segmentMessages: 3,
    segmentMessagesMost: 5,
    now: () => new Date(),
    committed: (outcomes) => sizes.push(outcomes.length),
  })
  return {
    archive,
    writer,
    happened,
    sizes,
    /** As a drain does: cut if due, then begin; then let it be archived. */
    receive: async (uid: number, octets = 1, refused?: string) => {
      await writer.cutIfDue()
      const sha256 = digestOf(`message ${uid}`)
      writer.run(
        sha256,
        octets,
        () => Promise.resolve(readyToAnnounce(uid, sha256, octets, refused, happened)),
        () => assert.fail('no repeat'),
      )
      await new Promise(setImmediate)
    },
  }
}

function readyToAnnounce(
  uid: number,
  sha256: Sha256,
  octets: number,
  refused: string | undefined,
  happened: string[],
): Outcome {
  const entry: MessageEntry = {
    type: 'message',
    folder: 'INBOX',
    epoch: '1',
    id: uid,
    outcome: 'announced',
    sha256,
    octets,
    queue: 'default',
  }
  const announce = async () => {
    happened.push(`sent ${uid}`)
    return refused === undefined ? entry : { ...entry, outcome: 'pending' as const, refused }
  }
  return { entry, record: true, unannounced: { octets, announce } }
}

test('nothing is sent while a segment fills; when it closes its events are sent, and then it is written', async () => {
  const { writer, happened, receive } = await open()
  for (const uid of [1, 2, 3]) await receive(uid)
  assert.deepEqual(happened, [])

  await receive(4)
  assert.deepEqual(happened, ['sent 1', 'sent 2', 'sent 3', 'written 1'])

  await writer.flush()
  assert.deepEqual(happened.slice(4), ['sent 4', 'written 2'])
})

test('while the segment before is being written the next one grows, up to its most, and then waits', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let write = () => {}
  const { writer, sizes, happened, receive } = await open({
    slowly: new Promise((resolve) => {
      write = resolve
    }),
  })
  for (let uid = 1; uid <= 8; uid++) await receive(uid)
  const ninth = receive(9)
  await new Promise(setImmediate)
  t.mock.timers.tick(DRAIN.segmentMs)
  assert.deepEqual(happened, ['sent 1', 'sent 2', 'sent 3'])

  write()
  await ninth
  await writer.flush()
  assert.deepEqual(sizes, [3, 5, 1])
})

test('a segment closes before its events take more memory than they may', async () => {
  const { writer, sizes, receive } = await open()
  await receive(1, DRAIN.segmentEventOctets)
  await receive(2)
  await writer.flush()
  assert.deepEqual(sizes, [1, 1])
})

test('no event waits longer than its time for a segment to fill, also when nothing more arrives', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { writer, happened, receive } = await open()
  await receive(1)
  t.mock.timers.tick(DRAIN.segmentMs - 1)
  await new Promise(setImmediate)
  assert.deepEqual(happened, [])

  t.mock.timers.tick(1)
  await new Promise(setImmediate)
  assert.deepEqual(happened, ['sent 1', 'written 1'])
  await writer.flush()
  assert.equal(happened.length, 2)
})

test('a segment that was abandoned does not close by itself', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { writer, happened, receive } = await open()
  await receive(1)
  writer.abandon()
  t.mock.timers.tick(DRAIN.segmentMs)
  await new Promise(setImmediate)
  assert.deepEqual(happened, [])
})

test('what a queue refused when the segment closed is recorded as pending, with the reason', async () => {
  const { archive, writer, receive } = await open()
  await receive(1, 1, 'too long')
  await receive(2)
  await writer.flush()
  const entries = await ledgerEntries(MAILBOX, archive)
  assert.deepEqual(
    entries.map((entry) => entry.type === 'message' && [entry.id, entry.outcome, entry.refused]),
    [
      [1, 'pending', 'too long'],
      [2, 'announced', undefined],
    ],
  )
})
