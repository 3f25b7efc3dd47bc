import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Archive } from '../../shared/archive/archive.ts'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import type { DrainId, Epoch, ObjectKey, Uid } from '../../shared/contract/ids.ts'
import { ledgerKey, snapshotKey } from '../../shared/contract/object-key.ts'
import { openLedger, readSegments } from '../../shared/ledger/ledger.ts'
import type { Segment } from '../../shared/ledger/segment.ts'
import { decodeSegment, encodeSegment } from '../../shared/ledger/segment.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { digestOf, draftOf, MAILBOX, messageEntry } from '../support/segments.ts'

const EPOCH = '1' as Epoch
const WRITTEN_FOR = { seq: 1, drain: 'somebody' as DrainId }

async function putText(archive: Archive, key: ObjectKey, content: Buffer): Promise<void> {
  await archive.put(key, memoryOctets(content), {
    contentType: 'application/x-ndjson',
    writtenFor: WRITTEN_FOR,
  })
}

async function contentOf(archive: Archive, key: ObjectKey): Promise<Buffer> {
  const { body } = await archive.get(key)
  return Buffer.concat(await (body as AsyncIterable<Buffer> & { toArray(): Promise<Buffer[]> }).toArray())
}

/** The same objects, some of them changed or left out (undefined). */
async function copyOf(
  archive: Archive,
  changed: ReadonlyMap<ObjectKey, Buffer | undefined>,
): Promise<Archive> {
  const copy = openMemoryArchive()
  for await (const { key } of archive.list('')) {
    const content = changed.has(key) ? changed.get(key) : await contentOf(archive, key)
    if (content) await putText(copy, key, content)
  }
  return copy
}

async function threeSegments(): Promise<Archive> {
  const archive = openMemoryArchive()
  const ledger = await openLedger(MAILBOX, { archive, state: undefined })
  for (const [index, text] of ['a', 'b', 'c'].entries())
    await ledger.commit(draftOf([messageEntry(text, { id: index + 1 })]), undefined)
  return archive
}

const corrupt = { name: 'IngestError', code: 'LEDGER_CORRUPT' }

describe('ledger', () => {
  test('a mailbox without segments has an empty fold and begins with segment 1', async () => {
    const ledger = await openLedger(MAILBOX, { archive: openMemoryArchive(), state: undefined })

    assert.equal(ledger.nextSeq, 1)
    assert.equal(ledger.fold.folder('INBOX', EPOCH).known.size, 0)
  })

  test('each segment names the digest of the one before, the first names none', async () => {
    const archive = await threeSegments()
    const segments = await Array.fromAsync(readSegments(MAILBOX, archive))

    assert.deepEqual(
      segments.map(({ header }) => header.previous),
      [null, segments[0]?.sha256, segments[1]?.sha256],
    )
    assert.equal((await archive.find(ledgerKey(MAILBOX, 2)))?.sha256, segments[1]?.sha256)
  })

  test('reopened, the fold is the same as that of the ledger that was written', async () => {
    const archive = openMemoryArchive()
    const ledger = await openLedger(MAILBOX, { archive, state: undefined })
    await ledger.commit(
      draftOf(
        [
          messageEntry('a', { id: 1 }),
          messageEntry('b', { id: 2, outcome: 'pending', refused: 'busy' }),
          messageEntry('c', { id: 9, writtenFor: 4 }),
          { type: 'failed', folder: 'INBOX', epoch: '1', id: 3, code: 'X', reason: 'no', attempts: 2 },
          { type: 'quarantined', folder: 'INBOX', epoch: '1', id: 4, code: 'Y', reason: 'no', attempts: 5 },
          { type: 'filtered', folder: 'INBOX', epoch: '1', search: 'abc', ids: '5:8' },
        ],
        { octetsFetched: 77 },
      ),
      undefined,
    )

    const again = await openLedger(MAILBOX, { archive, state: undefined })

    assert.deepEqual(JSON.parse(JSON.stringify(again.fold)), JSON.parse(JSON.stringify(ledger.fold)))
    assert.equal(again.nextSeq, 2)
    assert.equal(again.fold.strayOf(digestOf('c')), 1)
    assert.ok(again.fold.folder('INBOX', EPOCH).filtered?.ids.has(7 as Uid))
  })

  test('of two that write the same segment one loses the race, and what it lost does not count', async () => {
    const archive = openMemoryArchive()
    const first = await openLedger(MAILBOX, { archive, state: undefined })
    const second = await openLedger(MAILBOX, { archive, state: undefined })
    await first.commit(draftOf([messageEntry('a')]), undefined)

    await assert.rejects(
      second.commit(draftOf([messageEntry('b')], { drain: 'drain-2' as DrainId }), undefined),
      {
        code: 'LEDGER_RACE_LOST',
      },
    )
    assert.equal(second.nextSeq, 1)
    assert.equal(await second.names(1, digestOf('b')), false)
  })

  test('when the answer to our own write got lost, the segment that is there is ours', async () => {
    const archive = openMemoryArchive()
    const lost: Archive = {
      ...archive,
      put: async (...arguments_) => {
        await archive.put(...arguments_)
        return archive.put(...arguments_)
      },
    }
    const ledger = await openLedger(MAILBOX, { archive: lost, state: undefined })

    await ledger.commit(draftOf([messageEntry('a')]), undefined)

    assert.equal(ledger.nextSeq, 2)
    assert.equal(await ledger.names(1, digestOf('a')), true)
  })

  test('a committed segment names what it holds and nothing else; a segment that is not there names nothing', async () => {
    const archive = await threeSegments()
    const ledger = await openLedger(MAILBOX, { archive, state: undefined })

    assert.equal(await ledger.names(2, digestOf('b')), true)
    assert.equal(await ledger.names(2, digestOf('a')), false)
    assert.equal(await ledger.names(4, digestOf('a')), false)
    assert.equal(await ledger.names(0, digestOf('a')), false)
  })
})

describe('a ledger that somebody meddled with', () => {
  const edit = (content: Buffer, change: (segment: Segment) => Segment): Buffer =>
    encodeSegment(change(decodeSegment(content, 'test')))

  async function changed(seq: number, change: (content: Buffer) => Buffer | undefined): Promise<Archive> {
    const archive = await threeSegments()
    const key = ledgerKey(MAILBOX, seq)
    return copyOf(archive, new Map([[key, change(await contentOf(archive, key))]]))
  }

  test('a removed segment is missed', async () => {
    await assert.rejects(
      openLedger(MAILBOX, { archive: await changed(2, () => undefined), state: undefined }),
      {
        ...corrupt,
        message: /0000000002\.ndjson: expected a segment, found none/,
      },
    )
  })

  test('a rewritten segment breaks the chain at the one that follows', async () => {
    const archive = await changed(2, (content) =>
      edit(content, ({ header, entries }) => ({ header: { ...header, drain: 'x' as DrainId }, entries })),
    )
    await assert.rejects(openLedger(MAILBOX, { archive, state: undefined }), {
      ...corrupt,
      message: /0000000003\.ndjson: expected a segment that follows/,
    })
  })

  test('a segment that was cut, at a line end or within a line, is refused', async () => {
    const atLineEnd = (content: Buffer): Buffer => content.subarray(0, content.indexOf('\n') + 1)
    const withinLine = (content: Buffer): Buffer => content.subarray(0, content.length - 5)
    for (const cut of [atLineEnd, withinLine])
      await assert.rejects(openLedger(MAILBOX, { archive: await changed(3, cut), state: undefined }), corrupt)
  })

  test('a segment of another mailbox or number is refused', async () => {
    const renumbered = await changed(1, (content) =>
      edit(content, ({ header, entries }) => ({ header: { ...header, seq: 7 }, entries })),
    )
    await assert.rejects(openLedger(MAILBOX, { archive: renumbered, state: undefined }), {
      ...corrupt,
      message: /it says that it is segment 7 of invoices/,
    })
  })

  test('an entry of an unknown type is refused rather than passed over', async () => {
    const archive = await changed(3, (content) =>
      Buffer.from(content.toString().replace('"type":"message"', '"type":"massage"')),
    )
    await assert.rejects(openLedger(MAILBOX, { archive, state: undefined }), corrupt)
  })
})

describe('snapshot', () => {
  const seen = { INBOX: { epoch: '1', uidNext: 4, day: 20_454 } }

  async function withSnapshot() {
    const archive = await threeSegments()
    const state = openMemoryState()
    const ledger = await openLedger(MAILBOX, { archive, state })
    await ledger.saveSnapshot(seen)
    return { archive, state }
  }

  /** The archive, and which segments were read of it. */
  function watched(archive: Archive): { archive: Archive; read: ObjectKey[] } {
    const read: ObjectKey[] = []
    const get: Archive['get'] = (key) => {
      read.push(key)
      return archive.get(key)
    }
    return { archive: { ...archive, get }, read }
  }

  test('with it only later segments are read, and the fold is that of the whole ledger', async () => {
    const { archive, state } = await withSnapshot()
    const writer = await openLedger(MAILBOX, { archive, state: undefined })
    await writer.commit(draftOf([messageEntry('d', { id: 4 })]), undefined)
    const { archive: counting, read } = watched(archive)

    const ledger = await openLedger(MAILBOX, { archive: counting, state })

    assert.deepEqual(read, [ledgerKey(MAILBOX, 4)])
    assert.deepEqual(JSON.parse(JSON.stringify(ledger.fold)), JSON.parse(JSON.stringify(writer.fold)))
    assert.deepEqual(ledger.seen, seen)
  })

  test('a lost snapshot costs a re-read, nothing else', async () => {
    const { archive } = await withSnapshot()

    const ledger = await openLedger(MAILBOX, { archive, state: openMemoryState() })

    assert.equal(ledger.nextSeq, 4)
    assert.equal(ledger.fold.folder('INBOX', EPOCH).known.size, 3)
  })

  test('a snapshot that is not JSON, or of another ledger, is passed over', async () => {
    const { archive, state } = await withSnapshot()
    await state.write(snapshotKey(MAILBOX), Buffer.from('{"v":1,'), 'any')
    assert.equal((await openLedger(MAILBOX, { archive, state })).fold.folder('INBOX', EPOCH).known.size, 3)

    const { state: foreign } = await withSnapshot()
    const empty = await openLedger(MAILBOX, { archive: openMemoryArchive(), state: foreign })
    assert.equal(empty.nextSeq, 1)
    assert.equal(empty.fold.folder('INBOX', EPOCH).known.size, 0)
  })

  test('an older drain does not overwrite the snapshot of a faster one', async () => {
    const { archive, state } = await withSnapshot()
    const slow = await openLedger(MAILBOX, { archive, state })
    const fast = await openLedger(MAILBOX, { archive, state })
    await fast.commit(draftOf([messageEntry('d', { id: 4 })]), undefined)
    await fast.saveSnapshot(seen)
    await slow.saveSnapshot({})

    const { archive: counting, read } = watched(archive)
    const ledger = await openLedger(MAILBOX, { archive: counting, state })
    assert.deepEqual(read, [])
    assert.deepEqual(ledger.seen, seen)
  })
})
