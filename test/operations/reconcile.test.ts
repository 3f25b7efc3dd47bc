import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ObjectKey } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey } from '../../shared/contract/object-key.ts'
import { type IdList, readIdList } from '../../shared/ledger/id-days.ts'
import { openRecorder } from '../../shared/ledger/recorder.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { verifyLedger } from '../../shared/ledger/verify.ts'
import type { Listing, MailboxSession, ServerId } from '../../shared/mailbox/mailbox.ts'
import type { StoredMessage } from '../../shared/mailbox/memory.ts'
import { reconcile, refetchesOf } from '../../shared/operations/reconcile.ts'
import type { Certificate } from '../../shared/operations/reconciliation/certificate.ts'
import {
  latestCertificate,
  storeCertificate,
} from '../../shared/operations/reconciliation/stored-certificate.ts'
import { isCode } from '../contract/archive.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { digestOf } from '../support/stores.ts'

const DECISION = { by: 'auditor', reason: 'test' }

class World extends DrainWorld {
  constructor(settings: Record<string, unknown>, selects?: (stored: StoredMessage) => boolean) {
    super(settings, selects ? { selects } : {})
  }

  async certificate({ archive, state, ...ports } = this.ports()): Promise<Certificate> {
    return reconcile(this.mailbox, { archive, state, openMailbox: ports.openMailbox }, new Date())
  }

  deliverAll(...subjects: string[]): ServerId[] {
    return subjects.map((subject) => this.store.deliver(message(subject)))
  }

  async record(...entries: Entry[]): Promise<void> {
    const recorder = await openRecorder(this.mailbox.id, this.archive, undefined, () => new Date())
    await recorder.record(entries)
  }

  place(id: ServerId) {
    return { folder: 'INBOX', epoch: this.store.epoch('INBOX'), id }
  }

  /** A server that lists something else than it has. */
  listing(change: (listing: Listing) => Partial<Listing>): () => Promise<MailboxSession> {
    return async () => {
      const session = await this.store.open()
      const { list } = session
      session.list = async (folder) => {
        const listing = await list.call(session, folder)
        return { ...listing, ...change(listing) }
      }
      return session
    }
  }
}

/** Reasons with the ids that have them. */
function reasonsOf({ folders }: Certificate): Record<string, ServerId[]> {
  return Object.fromEntries(
    (folders[0]?.differences ?? []).map(({ reason, ids }) => [reason, spelledOut(ids)]),
  )
}

function spelledOut(ids: IdList): ServerId[] {
  const { runs, uidls } = readIdList(ids)
  const uids = runs.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i))
  return [...uids, ...uidls] as ServerId[]
}

for (const protocol of ['imap', 'pop3'] as const)
  describe(`a certificate over ${protocol}`, () => {
    const open = (settings: Record<string, unknown> = {}) => new World({ protocol, ...settings })

    test('of a mailbox that was drained is complete, and says of what', async () => {
      const world = open()
      const ids = world.deliverAll('a', 'b')
      await world.drain()

      const certificate = await world.certificate()

      assert.equal(certificate.complete, true)
      const { head, segments } = await verifyLedger(world.mailbox.id, world.archive)
      assert.deepEqual(certificate.ledger, { seq: segments, sha256: head })
      const uidNext = protocol === 'imap' ? 3 : undefined
      assert.deepEqual(certificate.folders, [
        {
          folder: 'INBOX',
          epoch: world.store.epoch('INBOX'),
          server: { messages: 2, uidNext, idsSha256: digestOf(`${ids.join('\n')}\n`) },
          archive: { messages: 2, onServer: 2, removedAsConfigured: 0, removedByOthers: 0 },
          differences: [],
        },
      ])
    })

    test('of an empty mailbox that was never drained is complete', async () => {
      const { complete, ledger } = await open().certificate()

      assert.deepEqual([complete, ledger], [true, undefined])
    })

    test('tells what has arrived since, and what was never drained', async () => {
      const world = open()
      const [first] = world.deliverAll('a')
      assert.deepEqual(reasonsOf(await world.certificate()), { 'not-yet-drained': [first] })
      await world.drain()
      const [second] = world.deliverAll('b')

      const certificate = await world.certificate()

      assert.deepEqual(reasonsOf(certificate), { 'arrived-since': [second] })
      assert.equal(certificate.complete, true)
    })

    test('tells what could not be fetched, by what became of it', async () => {
      const world = open()
      const [a, b, c, d] = world.deliverAll('a', 'b', 'c', 'd') as [ServerId, ServerId, ServerId, ServerId]
      const trace = { code: 'MESSAGE_UNFETCHABLE', reason: 'no', attempts: 5 }
      await world.record(
        { type: 'failed', ...world.place(a), ...trace },
        { type: 'quarantined', ...world.place(b), ...trace },
        { type: 'quarantined', ...world.place(c), ...trace },
        { type: 'dismissed', ...world.place(c), ...DECISION },
        { type: 'quarantined', ...world.place(d), ...trace },
      )
      world.store.remove(d)

      const certificate = await world.certificate()

      const { quarantined, ...rest } = reasonsOf(certificate)
      assert.deepEqual(rest, { failing: [a], dismissed: [c] })
      assert.deepEqual(new Set(quarantined), new Set([b, d]))
      assert.equal(certificate.complete, true)
    })

    test('tells what left the server before it was fetched', async () => {
      const world = open()
      const [gone, failed] = world.deliverAll('a', 'b') as [ServerId, ServerId]
      const trace = { code: 'MESSAGE_UNFETCHABLE', reason: 'no', attempts: 1 }
      await world.record(
        { type: 'gone', ...world.place(gone) },
        { type: 'failed', ...world.place(failed), ...trace },
      )
      for (const id of [gone, failed]) world.store.remove(id)
      world.deliverAll('c')
      // A maildrop's drain forgets UIDLs that it does not find.
      await world.drain()

      const certificate = await world.certificate()

      assert.deepEqual(reasonsOf(certificate), { 'expunged-before-fetch': [gone, failed] })
      assert.equal(certificate.complete, true)
    })

    test('fails for a message that is recorded as gone and listed all the same', async () => {
      const world = open()
      const [id] = world.deliverAll('a') as [ServerId]
      await world.record({ type: 'gone', ...world.place(id) })

      const certificate = await world.certificate()

      assert.deepEqual(reasonsOf(certificate), { 'recorded-as-gone': [id] })
      assert.equal(certificate.complete, false)
    })

    for (const notes of ['with', 'without'])
      test(`fails for a message that a drain has passed over, ${notes} the notes of that drain`, async () => {
        const world = open()
        const [, hidden] = world.deliverAll('a', 'b', 'c') as [ServerId, ServerId]
        const openMailbox = world.listing(({ ids }) => ({ ids: ids.filter((id) => id !== hidden) }))
        await world.drain({}, { openMailbox })

        const ports = world.ports()
        const certificate = await world.certificate(notes === 'with' ? ports : { ...ports, state: undefined })

        assert.deepEqual(reasonsOf(certificate), { 'passed-over': [hidden] })
        assert.equal(certificate.complete, false)
      })

    test('fails for a message that the ledger has as archived and the archive lacks', async () => {
      const world = open()
      const [a, b] = world.deliverAll('a', 'b') as [ServerId, ServerId]
      await world.drain()
      world.memory.objects.delete(keyOf(world, 'a'))

      const certificate = await world.certificate()

      assert.deepEqual(reasonsOf(certificate), { 'object-missing': [a] })
      assert.equal(certificate.complete, false)
      assert.deepEqual(
        certificate.problems.map(({ kind, key }) => [kind, key]),
        [['object-missing', keyOf(world, 'a')]],
      )
      world.store.remove(a)
      const later = await world.certificate()
      assert.equal(later.complete, false, 'nor when it has left the server')
      assert.ok(!('object-missing' in reasonsOf(later)) && b)
    })

    test('is complete after a repair, which fetches what is missing and whatever else is there', async () => {
      const world = open()
      const [, , gone] = world.deliverAll('a', 'b', 'c', 'd') as ServerId[]
      const openMailbox = world.listing(({ ids }) => ({ ids: ids.filter((id) => id !== gone) }))
      await world.drain({}, { openMailbox })
      await world.record({ type: 'gone', ...world.place(gone as ServerId) })
      world.memory.objects.delete(keyOf(world, 'a'))
      world.deliverAll('e')
      await world.takeEvents()

      const refetches = refetchesOf(await world.certificate(), DECISION)
      await world.record(...refetches)
      await world.drain()

      const certificate = await world.certificate()
      assert.equal(refetches.length, 2)
      assert.deepEqual(reasonsOf(certificate), {})
      assert.equal(certificate.complete, true)
      for (const subject of ['a', 'b', 'c', 'd', 'e'])
        assert.equal((await world.archived(message(subject))).toString(), message(subject))
      await world.assertLedgerVerifies()
      // What came back into the archive is announced again, under the same id.
      assert.deepEqual(
        new Set((await world.takeEvents()).map(({ id }) => id)),
        new Set(['a', 'c', 'e'].map((subject) => world.eventId(message(subject)))),
      )
    })

    test('tells what drains have removed as configured, and what others have', async () => {
      const world = open({ afterArchive: 'delete' })
      world.deliverAll('a', 'b')
      await world.drain()
      const kept = new World({ protocol })
      const [c] = kept.deliverAll('c', 'd') as [ServerId]
      await kept.drain()
      kept.store.remove(c)

      const removed = (await world.certificate()).folders[0]?.archive
      const byOthers = (await kept.certificate()).folders[0]?.archive

      assert.deepEqual(removed, { messages: 2, onServer: 0, removedAsConfigured: 2, removedByOthers: 0 })
      assert.deepEqual(byOthers, { messages: 2, onServer: 1, removedAsConfigured: 0, removedByOthers: 1 })
    })

    test('counts a message that came twice as one on each side', async () => {
      const world = open()
      world.deliverAll('a', 'a')
      await world.drain()

      const { complete, folders } = await world.certificate()

      assert.equal(complete, true)
      assert.deepEqual(folders[0]?.archive.onServer, 2)
    })

    test('fails for messages without an id that lasts', async () => {
      const world = open()
      world.deliverAll('a')
      const openMailbox = world.listing(() => ({ ids: ['session-1' as ServerId] }))

      const certificate = await world.certificate({ ...world.ports(), openMailbox })

      assert.deepEqual(reasonsOf(certificate), { 'no-lasting-id': ['session-1'] })
      assert.equal(certificate.complete, false)
    })

    test('is not given for a ledger that does not hold', async () => {
      const world = open()
      world.deliverAll('a')
      await world.drain()
      world.deliverAll('b')
      await world.drain()
      world.memory.objects.delete(ledgerKey(world.mailbox.id, 1))

      await assert.rejects(world.certificate(), isCode('LEDGER_CORRUPT'))
    })

    test('can be kept as evidence, the latest is found again, and none is put over another', async () => {
      const world = open()
      world.deliverAll('a')
      await world.drain()
      const first = await world.certificate()
      await storeCertificate(first, world.archive, undefined)
      const later = { ...first, at: new Date(Date.parse(first.at) + 1000).toISOString(), ledger: undefined }
      const key = await storeCertificate(later, world.archive, undefined)

      assert.deepEqual(await latestCertificate(world.mailbox.id, world.archive), { ledger: undefined, key })
      await assert.rejects(storeCertificate(later, world.archive, undefined), isCode('ARCHIVE_CONFLICT'))
      await world.memory.putOver(key, Buffer.from('not JSON'))
      assert.equal(await latestCertificate(world.mailbox.id, world.archive), undefined)
    })
  })

describe('a certificate over imap', () => {
  test('has the messages of each epoch, also of one that is over', async () => {
    const world = new World({ protocol: 'imap' })
    world.deliverAll('a', 'b')
    await world.drain()
    const before = world.store.epoch('INBOX')
    world.store.recreate()
    world.deliverAll('c')
    await world.drain()

    const { complete, folders } = await world.certificate()

    assert.equal(complete, true)
    assert.deepEqual(
      folders.map(({ epoch, server, archive }) => [epoch, server?.messages, archive.messages]),
      [
        [world.store.epoch('INBOX'), 3, 3],
        [before, undefined, 2],
      ],
    )
  })

  test('tells what the search leaves out, before and after a drain has recorded it', async () => {
    const world = new World({ protocol: 'imap', search: { subject: 'wanted' } }, ({ octets }) =>
      octets.includes('wanted'),
    )
    const [, out] = world.deliverAll('wanted', 'other')

    const before = await world.certificate()
    await world.drain()
    const after = await world.certificate()

    assert.deepEqual(reasonsOf(before).filtered, [out])
    assert.deepEqual(reasonsOf(after), { filtered: [out] })
    assert.equal(after.complete, true)
  })

  test('does not blame a drain for what it left out under other settings', async () => {
    const world = new World({ protocol: 'imap', search: { subject: 'wanted' } }, ({ octets }) =>
      octets.includes('wanted'),
    )
    const [, out] = world.deliverAll('wanted', 'other')
    await world.drain()
    const { search, ...mailbox } = world.mailbox
    const openMailbox = world.listing(() => ({ selected: undefined }))

    const certificate = await reconcile(mailbox, { ...world.ports(), openMailbox }, new Date())

    assert.deepEqual(reasonsOf(certificate), { 'not-yet-drained': [out] })
  })
})

function keyOf(world: World, subject: string): ObjectKey {
  return rawKey(world.mailbox.id, digestOf(message(subject)))
}
