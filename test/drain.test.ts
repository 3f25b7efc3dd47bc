import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MAILBOX_RESET, MESSAGE_ARCHIVED, MESSAGE_QUARANTINED } from '../shared/contract/event.ts'
import type { DrainId } from '../shared/contract/ids.ts'
import { parseRawKey, rawKey } from '../shared/contract/object-key.ts'
import { deadlineIn } from '../shared/deadline.ts'
import { IngestError } from '../shared/errors.ts'
import { DRAIN } from '../shared/limits.ts'
import type { Fetched, MailboxSession } from '../shared/mailbox/mailbox.ts'
import { memoryOctets } from '../shared/octets.ts'
import type { EventQueues } from '../shared/queue/queue.ts'
import { DrainWorld, mailboxConfig, message } from './support/drain-world.ts'

/** A session that does something else in `fetch`. */
function withFetch(
  session: MailboxSession,
  change: (fetched: AsyncIterable<Fetched>) => AsyncIterable<Fetched>,
): MailboxSession {
  return new Proxy(session, {
    get(target, name) {
      if (name === 'fetch')
        return (...arguments_: Parameters<MailboxSession['fetch']>) => change(target.fetch(...arguments_))
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const unfetchable = (id: Fetched['id']): Fetched => ({
  id,
  octets: undefined,
  error: new IngestError('MESSAGE_UNFETCHABLE', 'the server says NO'),
  announcedOctets: undefined,
})

for (const protocol of ['imap', 'pop3'] as const)
  describe(`drain over ${protocol}`, () => {
    test('every message is archived octet by octet, announced once and recorded', async () => {
      const world = new DrainWorld({ protocol })
      const texts = ['one', 'two', 'three'].map((subject) => message(subject))
      for (const text of texts) world.store.deliver(text)

      const report = await world.drain()

      assert.equal(report.error, undefined)
      assert.deepEqual(
        { announced: report.counts.announced, segments: report.counts.segments },
        { announced: 3, segments: 1 },
      )
      for (const text of texts) assert.equal((await world.archived(text)).toString(), text)
      const events = await world.takeEvents()
      assert.deepEqual(events.map(({ id }) => id).sort(), texts.map((text) => world.eventId(text)).sort())
      assert.ok(events.every(({ type }) => type === MESSAGE_ARCHIVED))
      await world.assertLedgerVerifies()
    })

    test('a second drain finds nothing to do and writes nothing', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      await world.drain()
      await world.takeEvents()

      const report = await world.drain()

      assert.deepEqual([report.counts.segments, report.octets, report.listed], [0, 0, 1])
      assert.deepEqual(await world.takeEvents(), [])
    })

    test('the same octets twice are one object and one event, also over two drains', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      world.store.deliver(message('one'))
      const first = await world.drain()
      world.store.deliver(message('one'))
      const second = await world.drain()

      assert.deepEqual([first.counts.announced, first.counts.duplicates], [1, 1])
      assert.deepEqual([second.counts.announced, second.counts.duplicates], [0, 1])
      assert.equal((await world.takeEvents()).length, 1)
      await world.assertLedgerVerifies()
    })

    test('copies far apart, in different segments, are one event', async () => {
      const world = new DrainWorld({ protocol })
      for (const subject of ['a', 'b', 'c', 'd', 'e', 'a']) world.store.deliver(message(subject))

      const report = await world.drain({ segmentMessages: 2 })

      assert.deepEqual([report.counts.segments, report.counts.announced, report.counts.duplicates], [3, 5, 1])
      assert.equal((await world.takeEvents()).length, 5)
    })

    test('deleted on the server are those that are recorded, and the ledger has intent and receipt', async () => {
      const world = new DrainWorld({ protocol, afterArchive: 'delete' })
      world.store.deliver(message('one'))
      world.store.deliver(message('two'))

      const report = await world.drain()

      assert.equal(report.error, undefined)
      assert.equal(report.counts.acknowledged, 2)
      assert.deepEqual(world.store.messages(), [])
      const types = (await world.entries()).map(({ type }) => type)
      assert.deepEqual(types, ['message', 'message', 'acknowledge', 'acknowledged'])
    })

    test('a message stays for deleteAfterDays after it was archived, and goes then', async () => {
      const world = new DrainWorld({
        protocol,
        afterArchive: { deleteAfterDays: 30 },
        retention: { mode: 'governance', days: 365 },
      })
      world.store.deliver(message('one'))
      const at = (day: string) => ({ now: () => new Date(`${day}T12:00:00Z`) })

      await world.drain(at('2026-01-01'))
      await world.drain(at('2026-01-30'))
      assert.equal(world.store.messages().length, 1)

      await world.drain(at('2026-01-31'))
      assert.equal(world.store.messages().length, 0)
    })

    test('what an earlier drain archived is acknowledged when the policy comes to ask for it', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      await world.drain()

      const report = await world.drain({}, {}, mailboxConfig({ protocol, afterArchive: 'delete' }))

      assert.equal(report.counts.acknowledged, 1)
      assert.deepEqual(world.store.messages(), [])
    })

    test('a message whose announcement the queue refuses is pending, stays on the server, and is announced by the next drain', async () => {
      const world = new DrainWorld({ protocol, afterArchive: 'delete' })
      world.store.deliver(message('one'))
      world.store.deliver(message('two'))
      const refusing: EventQueues = {
        ...world.queues,
        send: async (_, events) => events.map(() => ({ sent: false, refused: 'ServiceUnavailable' })),
      }

      const refused = await world.drain({}, { queues: refusing })
      assert.deepEqual([refused.counts.pending, refused.counts.announced], [2, 0])
      assert.equal(world.store.messages().length, 2)

      const report = await world.drain()
      assert.deepEqual([report.counts.announcedLate, report.counts.acknowledged, report.octets], [2, 2, 0])
      const ids = (await world.takeEvents()).map(({ id }) => id)
      assert.deepEqual(ids.sort(), [world.eventId(message('one')), world.eventId(message('two'))].sort())
      assert.deepEqual(world.store.messages(), [])
    })

    test('an event announced late tells the same as it would have at once', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'), 'INBOX', new Date('2026-02-03T04:05:06Z'))
      const prompt = new DrainWorld({ protocol })
      prompt.store.deliver(message('one'), 'INBOX', new Date('2026-02-03T04:05:06Z'))
      const now = () => new Date('2026-03-01T00:00:00Z')
      const refusing: EventQueues = {
        ...world.queues,
        send: async (_, events) => events.map(() => ({ sent: false, refused: 'no' })),
      }
      await prompt.drain({ now })
      await world.drain({ now }, { queues: refusing })
      await world.drain({ now })

      assert.deepEqual(await world.takeEvents(), await prompt.takeEvents())
    })

    test('a missing queue ends the drain; what was archived by then is pending, not lost', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      const missing: EventQueues = {
        ...world.queues,
        send: async () => {
          throw new IngestError('QUEUE_MISSING', 'no such queue')
        },
      }

      const report = await world.drain({}, { queues: missing })

      assert.equal(report.error?.code, 'QUEUE_MISSING')
      assert.equal(report.counts.pending, 1)
      assert.equal((await world.drain()).counts.announcedLate, 1)
    })

    test('a message that cannot be fetched is retried by later drains, then quarantined with an event; the others pass', async () => {
      const world = new DrainWorld({ protocol })
      const bad = world.store.deliver(message('bad'))
      world.store.deliver(message('good'))
      const openMailbox = async () =>
        withFetch(await world.store.open(), async function* (fetched) {
          for await (const each of fetched) yield each.id === bad ? unfetchable(bad) : each
        })

      const { failures: foretold } = await world.drain({ dryRun: true }, { openMailbox })
      const reports = []
      for (let run = 0; run < DRAIN.fetchAttempts + 1; run++)
        reports.push(await world.drain({}, { openMailbox }))

      assert.equal(reports[0]?.counts.announced, 1)
      assert.deepEqual(foretold, reports[0]?.failures)
      assert.deepEqual(
        reports.flatMap(({ failures }) =>
          failures.map(({ id, code, attempts, quarantined }) => [id, code, attempts, quarantined]),
        ),
        [1, 2, 3, 4, 5].map((attempt) => [bad, 'MESSAGE_UNFETCHABLE', attempt, attempt === 5]),
      )
      assert.deepEqual(
        reports.map(({ counts: { failed, quarantined } }) => [failed, quarantined]),
        [
          [1, 0],
          [1, 0],
          [1, 0],
          [1, 0],
          [0, 1],
          [0, 0],
        ],
      )
      const events = await world.takeEvents()
      assert.deepEqual(
        events.map(({ type }) => type),
        [MESSAGE_ARCHIVED, MESSAGE_QUARANTINED],
      )
    })

    test('a message over the size limit is quarantined at once, and fetched when the limit is raised', async () => {
      const limits = { messageOctets: 1024 }
      const world = new DrainWorld({ protocol, limits })
      const large = message('large', 'x'.repeat(3000))
      world.store.deliver(large)
      world.store.deliver(message('small'))

      const first = await world.drain()
      const second = await world.drain()
      assert.deepEqual([first.counts.quarantined, first.counts.announced], [1, 1])
      assert.deepEqual([second.counts.quarantined, second.counts.segments], [0, 0])

      await world.drain({}, {}, mailboxConfig({ protocol, limits: { messageOctets: 4096 } }))
      assert.equal((await world.archived(large)).toString(), large)
    })

    test('a server that dies over one message loses no other, and the message is quarantined in the end', async () => {
      const world = new DrainWorld({ protocol })
      const subjects = ['a', 'killer', 'b', 'c']
      const ids = subjects.map((subject) => world.store.deliver(message(subject)))
      const openMailbox = async () =>
        withFetch(await world.store.open(), async function* (fetched) {
          for await (const each of fetched) {
            if (each.id === ids[1]) throw new IngestError('CONNECTION_LOST', 'closed')
            yield each
          }
        })

      const errors = []
      for (let run = 0; run < DRAIN.fetchAttempts + 1; run++)
        errors.push((await world.drain({}, { openMailbox })).error?.code)

      assert.deepEqual(errors, [...Array<string>(DRAIN.fetchAttempts).fill('CONNECTION_LOST'), undefined])
      const announced = (await world.takeEvents()).filter(({ type }) => type === MESSAGE_ARCHIVED)
      assert.equal(announced.length, 3)
      assert.deepEqual((await world.entries()).at(-1)?.type, 'quarantined')
    })

    test('an archive that refuses ends the drain with its error; nothing is acknowledged', async () => {
      const world = new DrainWorld({ protocol, afterArchive: 'delete' })
      world.store.deliver(message('one'))
      const archive: typeof world.archive = {
        ...world.archive,
        put: async (key) => {
          throw new IngestError('ARCHIVE_UNAVAILABLE', `${key}: 503`)
        },
      }

      const report = await world.drain({}, { archive })

      assert.equal(report.error?.code, 'ARCHIVE_UNAVAILABLE')
      assert.equal(world.store.messages().length, 1)
      assert.deepEqual(await world.takeEvents(), [])
    })

    test('an archive that cannot keep its promises is noticed before any message is fetched', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      const archive: typeof world.archive = {
        ...world.archive,
        check: async () => {
          throw new IngestError('ARCHIVE_MISCONFIGURED', 'no Object Lock')
        },
      }

      const report = await world.drain({}, { archive })

      assert.deepEqual([report.error?.code, report.octets], ['ARCHIVE_MISCONFIGURED', 0])
    })

    test('an object under the key of a message that is not the message is a conflict, never a success', async () => {
      const world = new DrainWorld({ protocol })
      const text = message('one')
      world.store.deliver(text)
      const key = rawKey(world.mailbox.id, memoryOctets(Buffer.from(text)).sha256)
      await world.archive.put(key, memoryOctets(Buffer.from('something else')), {
        contentType: 'message/rfc822',
        writtenFor: { seq: 1, drain: 'x' as DrainId },
      })

      assert.equal((await world.drain()).error?.code, 'ARCHIVE_CONFLICT')
      assert.deepEqual(await world.takeEvents(), [])
    })

    test('an object of a drain that died elsewhere is announced once, and known from then on', async () => {
      const world = new DrainWorld({ protocol })
      const text = message('one')
      world.store.deliver(text)
      const octets = memoryOctets(Buffer.from(text))
      await world.archive.put(rawKey(world.mailbox.id, octets.sha256), octets, {
        contentType: 'message/rfc822',
        writtenFor: { seq: 9, drain: 'lost' as DrainId },
      })
      const first = await world.drain()
      world.store.deliver(text)
      const second = await world.drain()
      const third = await new DrainWorld({ protocol }).drain({}, { ...world.ports(), state: undefined })

      assert.deepEqual(
        [first, second, third].map(({ counts }) => [counts.announced, counts.duplicates]),
        [
          [1, 0],
          [0, 1],
          [0, 0],
        ],
      )
      assert.equal((await world.takeEvents()).length, 1)
    })

    test('no more messages are between fetch and record than the limit allows, and yet many', async () => {
      const world = new DrainWorld({ protocol })
      for (let index = 0; index < 300; index++) world.store.deliver(message(`m${index}`))
      let inside = 0
      let most = 0
      const archive: typeof world.archive = {
        ...world.archive,
        put: async (...put) => {
          if (!parseRawKey(put[0])) return world.archive.put(...put)
          most = Math.max(most, ++inside)
          await new Promise(setImmediate)
          const result = await world.archive.put(...put)
          inside--
          return result
        },
      }

      assert.equal((await world.drain({}, { archive })).counts.announced, 300)
      assert.equal(most, DRAIN.messagesInFlight)
    })

    test('at its deadline a drain stops between messages, records what it has, and says what remains', async () => {
      const world = new DrainWorld({ protocol })
      for (let index = 0; index < 10; index++) world.store.deliver(message(`m${index}`))
      let asked = 0
      const deadline = { remainingMs: () => (++asked > 5 ? 0 : 1e9), passed: () => false }

      const report = await world.drain({ deadline })

      assert.equal(report.stopped, 'deadline')
      assert.ok(report.counts.announced > 0 && report.remaining > 0)
      assert.equal(report.counts.announced + report.remaining, 10)
      const rest = await world.drain({ deadline: deadlineIn(60_000) })
      assert.deepEqual([rest.counts.announced, rest.remaining], [report.remaining, 0])
      assert.equal((await world.takeEvents()).length, 10)
    })

    test('a caller that asks it to end is obeyed', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))

      const report = await world.drain({ signal: AbortSignal.abort() })

      assert.deepEqual([report.stopped, report.counts.announced, report.error], ['asked', 0, undefined])
    })

    test('fetching ends for the day when its octets are spent, and goes on the next day', async () => {
      const world = new DrainWorld({ protocol, limits: { octetsPerDay: 2048 } })
      for (let index = 0; index < 6; index++) world.store.deliver(message(`m${index}`, 'x'.repeat(900)))
      const at = (day: string) => ({ now: () => new Date(`${day}T12:00:00Z`) })

      const first = await world.drain(at('2026-01-01'))
      const second = await world.drain(at('2026-01-01'))
      const third = await world.drain(at('2026-01-02'))

      assert.deepEqual([first.stopped, first.counts.announced], ['daily-budget', 3])
      assert.deepEqual([second.stopped, second.counts.announced], ['daily-budget', 0])
      assert.equal(third.counts.announced, 3)
    })

    test('a dry run fetches everything and leaves no trace', async () => {
      const world = new DrainWorld({ protocol, afterArchive: 'delete' })
      world.store.deliver(message('one'))

      const report = await world.drain({ dryRun: true })

      assert.equal(report.octets, message('one').length)
      assert.deepEqual(
        [await world.entries(), await world.takeEvents(), world.store.messages().length],
        [[], [], 1],
      )
      assert.equal((await world.drain()).counts.announced, 1)
    })

    test('a defect is not caught', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      const parser = {
        parse: async () => {
          throw new TypeError('a defect')
        },
        close: async () => {},
      }

      await assert.rejects(world.drain({}, { parser }), TypeError)
    })
  })

describe('drain over imap', () => {
  test('a folder that was made anew is read again: an event says so, and no message is announced twice', async () => {
    const world = new DrainWorld()
    for (const subject of ['one', 'two']) world.store.deliver(message(subject))
    await world.drain()
    await world.takeEvents()
    world.store.recreate()
    world.store.deliver(message('three'))

    const report = await world.drain()

    assert.deepEqual([report.counts.duplicates, report.counts.announced], [2, 1])
    assert.deepEqual(
      (await world.takeEvents()).map(({ type }) => type),
      [MAILBOX_RESET, MESSAGE_ARCHIVED],
    )
    assert.equal((await world.drain()).counts.segments, 0)
  })

  test('a mailbox that was switched from POP3 to IMAP announces nothing again', async () => {
    const world = new DrainWorld({ protocol: 'pop3' })
    for (const subject of ['one', 'two']) world.store.deliver(message(subject))
    await world.drain()
    await world.takeEvents()
    const imap = new DrainWorld()
    for (const subject of ['one', 'two']) imap.store.deliver(message(subject))

    const report = await world.drain({}, { openMailbox: () => imap.store.open() }, imap.mailbox)

    assert.deepEqual([report.counts.duplicates, report.counts.announced], [2, 0])
    assert.deepEqual(await world.takeEvents(), [])
  })

  test('messages are marked or moved only in their folder, and a moved one is not announced from its new folder', async () => {
    const world = new DrainWorld({ folders: ['*'], afterArchive: { move: 'Done' } })
    world.store.deliver(message('one'))
    await world.drain()
    assert.deepEqual([world.store.messages().length, world.store.messages('Done').length], [0, 1])

    const again = await world.drain()

    assert.deepEqual([again.counts.duplicates, again.counts.acknowledged], [1, 0])
    assert.equal(world.store.messages('Done').length, 1)
    assert.equal((await world.takeEvents()).length, 1)
  })

  for (const [afterArchive, flag] of [
    ['seen', '\\Seen'],
    [{ flag: 'Archived' }, 'Archived'],
  ] as const)
    test(`${JSON.stringify(afterArchive)} sets the flag after the record, and again where it got lost`, async () => {
      const world = new DrainWorld({ afterArchive })
      world.store.deliver(message('one'))
      await world.drain()
      const [stored] = world.store.messages()
      assert.ok(stored)
      assert.ok(stored.flags.has(flag))

      stored.flags.delete(flag)
      assert.equal((await world.drain()).counts.acknowledged, 1)
      assert.ok(stored.flags.has(flag))
      assert.equal((await world.drain()).counts.acknowledged, 0)
    })

  test('what the search leaves out is recorded as filtered once, and fetched when the search changes', async () => {
    const search = { subject: 'invoice' }
    const selects = ({ octets }: { octets: Buffer }) => octets.includes('invoice')
    const world = new DrainWorld({ search }, { selects })
    world.store.deliver(message('invoice'))
    world.store.deliver(message('newsletter'))

    const first = await world.drain()
    assert.deepEqual([first.counts.announced, first.counts.filtered], [1, 1])
    assert.equal((await world.drain()).counts.segments, 0)

    const unfiltered = new DrainWorld()
    for (const { octets } of world.store.messages()) unfiltered.store.deliver(octets)
    const openMailbox = () => unfiltered.store.open()
    const all = await world.drain({}, { openMailbox }, unfiltered.mailbox)
    assert.equal(all.counts.announced, 1)
  })

  test('a message that is gone before it is fetched is recorded as gone', async () => {
    const world = new DrainWorld()
    const id = world.store.deliver(message('one'))
    const openMailbox = async () => {
      const session = await world.store.open()
      const list = session.list.bind(session)
      session.list = async (folder) => {
        const listing = await list(folder)
        world.store.remove(id)
        return listing
      }
      return session
    }

    const report = await world.drain({}, { openMailbox })

    assert.deepEqual([report.counts.gone, report.error], [1, undefined])
  })
})

describe('drain over pop3', () => {
  test('a UIDL that the server gives to another message does not hide it', async () => {
    const world = new DrainWorld({ protocol: 'pop3' })
    const id = world.store.deliver(message('one'))
    await world.drain()
    world.store.remove(id)
    await world.drain()
    const reusing = new DrainWorld({ protocol: 'pop3' })
    assert.equal(reusing.store.deliver(message('two')), id)

    const report = await world.drain({}, { openMailbox: () => reusing.store.open() })

    assert.equal(report.counts.announced, 1)
  })

  test('when QUIT fails nothing counts as deleted, and the next drain deletes', async () => {
    const world = new DrainWorld({ protocol: 'pop3', afterArchive: 'delete' })
    world.store.deliver(message('one'))
    const openMailbox = async () => {
      const session = await world.store.open()
      session.close = async () => {
        throw new IngestError('CONNECTION_LOST', 'no answer to QUIT')
      }
      return session
    }

    const broken = await world.drain({}, { openMailbox })
    assert.deepEqual([broken.error?.code, broken.counts.acknowledged], ['CONNECTION_LOST', 0])
    assert.equal(world.store.messages().length, 1)

    const report = await world.drain()
    assert.deepEqual([report.counts.acknowledged, world.store.messages().length], [1, 0])
    assert.equal((await world.takeEvents()).length, 1)
  })

  test('a maildrop without lasting ids is known by its octets: fetched each time, announced once, written once', async () => {
    const world = new DrainWorld({ protocol: 'pop3', afterArchive: 'keep' })
    world.store.deliver(message('one'))
    const openMailbox = openWithoutLastingIds(world)
    const runs = [await world.drain({}, { openMailbox }), await world.drain({}, { openMailbox })]

    assert.deepEqual(
      runs.map(({ counts }) => [counts.announced, counts.duplicates, counts.segments]),
      [
        [1, 0, 1],
        [0, 1, 0],
      ],
    )
    assert.equal((await world.takeEvents()).length, 1)
  })

  test('a segment that has nothing to record leaves no gap, and what follows it is still recognised', async () => {
    const world = new DrainWorld({ protocol: 'pop3' })
    const openMailbox = openWithoutLastingIds(world)
    for (const subject of ['a', 'b']) world.store.deliver(message(subject))
    await world.drain({}, { openMailbox })
    for (const subject of ['c', 'd']) world.store.deliver(message(subject))

    const second = await world.drain({ segmentMessages: 2 }, { openMailbox })
    const third = await world.drain({ segmentMessages: 2 }, { openMailbox })

    assert.deepEqual(
      [second, third].map(({ counts }) => [counts.announced, counts.duplicates, counts.segments]),
      [
        [2, 2, 1],
        [0, 4, 0],
      ],
    )
    await world.assertLedgerVerifies()
  })
})

/** Sessions of a server without UIDL and TOP: its ids mean nothing in the next one. */
function openWithoutLastingIds(world: DrainWorld): () => Promise<MailboxSession> {
  let session = 0
  return async () => {
    const inner = await world.store.open()
    const prefix = `session-${session++}-`
    const list = inner.list.bind(inner)
    const fetch = inner.fetch.bind(inner)
    const rename = (id: unknown) => `${prefix}${String(id)}` as Fetched['id']
    inner.list = async (folder) => {
      const listing = await list(folder)
      return { ...listing, ids: listing.ids.map(rename) }
    }
    inner.fetch = async function* (listing, ids, options) {
      const real = ids.map((id) => String(id).slice(prefix.length) as Fetched['id'])
      for await (const fetched of fetch(listing, real, options)) yield { ...fetched, id: rename(fetched.id) }
    }
    return inner
  }
}
