import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { archivedEventId } from '../../shared/contract/event.ts'
import type { Epoch, Uid, Uidl } from '../../shared/contract/ids.ts'
import { Fold, type FoldJson } from '../../shared/ledger/fold.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { digestOf, draftOf, MAILBOX, messageEntry } from '../support/segments.ts'

const ONE = '1' as Epoch
const UIDL = 'uidl' as Epoch
const place = { folder: 'INBOX', epoch: '1' }

/** A fold of one segment an argument. */
function foldOf(...segments: Entry[][]): Fold {
  const fold = new Fold(MAILBOX)
  for (const [index, entries] of segments.entries()) {
    const { startedAt, closedAt, ...draft } = draftOf(entries)
    const header = {
      ...draft,
      type: 'segment' as const,
      v: 1 as const,
      mailbox: MAILBOX,
      seq: index + 1,
      previous: null,
      startedAt: startedAt.toISOString(),
      closedAt: closedAt.toISOString(),
      entries: entries.length,
    }
    fold.apply({ header, entries })
  }
  return fold
}

describe('fold', () => {
  test('a message is pending from the segment that says so to the one that says announced', () => {
    const pending = messageEntry('a', { outcome: 'pending', refused: 'busy' })
    const event = archivedEventId(MAILBOX, digestOf('a'))

    assert.deepEqual([...foldOf([pending]).pending.keys()], [event])
    assert.deepEqual([...foldOf([pending]).pendingIds('INBOX', ONE)], [1])
    assert.equal(foldOf([pending], [{ type: 'announced', event, queue: 'default' }]).pending.size, 0)
  })

  test('a message for several queues is pending until the last of them has it; those that took it are known', () => {
    const queues = [{ queue: 'a' }, { queue: 'b', refused: 'busy' }, { queue: 'c', refused: 'busy' }]
    const pending = messageEntry('a', { outcome: 'pending', queue: undefined, queues })
    const event = archivedEventId(MAILBOX, digestOf('a'))
    const taken = (...segments: Entry[][]) => foldOf([pending], ...segments).pending.get(event)?.taken

    assert.deepEqual(taken(), ['a'])
    assert.deepEqual(taken([{ type: 'taken', event, queue: 'b' }]), ['a', 'b'])
    assert.equal(
      taken([{ type: 'taken', event, queue: 'b' }], [{ type: 'announced', event, queue: 'c' }]),
      undefined,
    )
    assert.deepEqual(
      taken([messageEntry('a', { id: 2, outcome: 'pending', queue: undefined, queues: queues.slice(1) })]),
      [],
    )
  })

  test('a pending message is read back from a snapshot, also from one that knew of no several queues', () => {
    const fold = foldOf([messageEntry('a', { outcome: 'pending' })])
    const json = JSON.parse(JSON.stringify(fold)) as FoldJson
    const earlier = { ...json, pending: json.pending.map(({ taken: _, ...pending }) => pending) }

    for (const snapshot of [json, earlier])
      assert.deepEqual(
        [...Fold.fromJSON(MAILBOX, snapshot).pending.values()].map(({ taken }) => taken),
        [[]],
      )
  })

  test('a second copy of a pending message waits with it', () => {
    const fold = foldOf(
      [messageEntry('a', { outcome: 'pending', id: 1 })],
      [
        messageEntry('a', { outcome: 'duplicate', id: 2 }),
        messageEntry('b', { outcome: 'duplicate', id: 3 }),
      ],
    )

    assert.deepEqual([...fold.pendingIds('INBOX', ONE)], [1, 2])
    assert.equal(fold.pendingIds('INBOX', '2' as Epoch).size, 0)
  })

  test('failures count until the message is fetched or quarantined', () => {
    const failed: Entry = { type: 'failed', ...place, id: 1, code: 'X', reason: '', attempts: 2 }
    const folder = (...segments: Entry[][]) => foldOf(...segments).folder('INBOX', ONE)

    assert.equal(folder([failed]).failed.get(1 as Uid)?.attempts, 2)
    assert.equal(folder([failed], [messageEntry('a')]).failed.size, 0)
    const quarantined = folder(
      [failed],
      [{ type: 'quarantined', ...place, id: 1, code: 'X', reason: '', attempts: 5, limitOctets: 10 }],
    )
    assert.equal(quarantined.failed.size, 0)
    assert.deepEqual(quarantined.quarantined.get(1 as Uid), { code: 'X', limitOctets: 10 })
    assert.equal(quarantined.known.has(1 as Uid), false)
  })

  test('after a reset the UIDs of the old UIDVALIDITY mean nothing, other folders and POP3 stay', () => {
    const fold = foldOf(
      [
        messageEntry('a'),
        messageEntry('b', { folder: 'Other' }),
        messageEntry('c', { epoch: 'uidl', id: 'x' }),
      ],
      [{ type: 'reset', folder: 'INBOX', from: '1', to: '2' }],
    )

    assert.equal(fold.uidValidity('INBOX'), '2')
    assert.equal(fold.folder('INBOX', ONE).known.size, 0)
    assert.equal(fold.folder('INBOX', UIDL).known.size, 1)
    assert.equal(fold.uidValidity('Other'), '1')
  })

  test('a UIDL is forgotten when its message has vanished or was deleted, a UID is not', () => {
    const known = [
      messageEntry('a', { epoch: 'uidl', id: 'x' }),
      messageEntry('b', { epoch: 'uidl', id: 'y' }),
      messageEntry('c'),
    ]
    const fold = foldOf(known, [
      { type: 'vanished', folder: 'INBOX', epoch: 'uidl', ids: ['x'] },
      { type: 'acknowledged', folder: 'INBOX', epoch: 'uidl', action: {}, effect: 'deleted', ids: ['y'] },
      { type: 'acknowledged', ...place, action: {}, effect: 'deleted', ids: '1' },
    ])

    assert.equal(fold.folder('INBOX', UIDL).known.size, 0)
    assert.ok(fold.folder('INBOX', ONE).known.has(1 as Uid))
  })

  test('a new search replaces what the old one left out, the same search adds to it', () => {
    const filtered = (search: string, ids: string): Entry => ({ type: 'filtered', ...place, search, ids })
    const left = (fold: Fold) => fold.folder('INBOX', ONE).filtered?.ids.toJSON().uids

    assert.deepEqual(left(foldOf([filtered('s', '1:3')], [filtered('s', '5')])), [
      [1, 3, 0],
      [5, 5, 0],
    ])
    assert.deepEqual(left(foldOf([filtered('s', '1:3')], [filtered('t', '5')])), [[5, 5, 0]])
  })

  test('an id that means nothing after its session is never known', () => {
    const fold = foldOf([messageEntry('a', { epoch: 'top', id: 'session-1-1' as Uidl })])

    assert.equal(fold.folder('INBOX', 'top' as Epoch).known.size, 0)
  })

  test('a snapshot remembers what is to be deleted, what was forgotten, and what stays on the server for today', () => {
    const digest = (digit: string): string => digit.repeat(64)
    const deletion = (sha256: string) => ({ sha256, octets: 1, by: 'b', reason: 'r' })
    const entries: Entry[] = [
      { type: 'delete', ground: 'expired', ...deletion(digest('a')) },
      { type: 'delete', ground: 'erasure', ...deletion(digest('b')) },
      { type: 'deleted', ground: 'erasure', ...deletion(digest('b')) },
      { type: 'kept', folder: 'INBOX', epoch: '7', ids: '3:4', lacks: 'lock' },
    ]
    const fold = foldOf(entries)

    const read = Fold.fromJSON(MAILBOX, JSON.parse(JSON.stringify(fold)) as FoldJson)

    assert.deepEqual(
      ['a', 'b'].map((each) => read.isDeleting(digest(each))),
      [true, false],
    )
    assert.deepEqual(
      ['a', 'b'].map((each) => read.isForgotten(digest(each))),
      [false, true],
    )
    const { kept } = read.folder('INBOX', '7' as Epoch)
    assert.deepEqual(kept?.day, fold.folder('INBOX', '7' as Epoch).kept?.day ?? 'a day')
    assert.deepEqual(
      [2, 3, 4, 5].map((id) => kept?.ids.has(id as Uid)),
      [false, true, true, false],
    )
  })

  test('octets fetched are counted by the day', () => {
    const fold = new Fold(MAILBOX)
    const segment = (closedAt: string, octetsFetched: number) => ({
      header: {
        type: 'segment' as const,
        v: 1 as const,
        mailbox: MAILBOX,
        seq: 1,
        previous: null,
        drain: draftOf([]).drain,
        startedAt: closedAt,
        closedAt,
        entries: 0,
        octetsFetched,
        afterArchive: 'keep',
      },
      entries: [],
    })
    fold.apply(segment('2026-01-01T10:00:00.000Z', 5))
    fold.apply(segment('2026-01-01T23:59:59.999Z', 7))
    const day = Date.parse('2026-01-01') / 86_400_000
    assert.equal(fold.octetsFetchedOn(day), 12)

    fold.apply(segment('2026-01-02T00:00:00.000Z', 1))
    assert.equal(fold.octetsFetchedOn(day + 1), 1)
  })
})
