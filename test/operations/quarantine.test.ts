import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { IngestError } from '../../shared/errors.ts'
import { DRAIN } from '../../shared/limits.ts'
import type { MailboxSession, ServerId } from '../../shared/mailbox/mailbox.ts'
import {
  decide,
  dismissEntries,
  listQuarantine,
  type QuarantinedMessage,
  quarantineHistory,
  quarantineName,
  retryEntries,
} from '../../shared/operations/quarantine.ts'
import { DrainWorld, mailboxConfig, message } from '../support/drain-world.ts'

const BODY = 'x'.repeat(3000)
const DECISION = { by: 'operator', reason: 'because' }

class World extends DrainWorld {
  /** A server that cannot give this message. */
  broken(id: ServerId): () => Promise<MailboxSession> {
    return async () => {
      const session = await this.store.open()
      const { fetch } = session
      session.fetch = async function* (listing, ids, options) {
        if (ids.includes(id))
          yield {
            id,
            octets: undefined,
            announcedOctets: 7,
            error: new IngestError('MESSAGE_UNFETCHABLE', 'the server says NO'),
          }
        yield* fetch.call(
          session,
          listing,
          ids.filter((other) => other !== id),
          options,
        )
      }
      return session
    }
  }

  /** Two messages, one of them given up. */
  static async withOneGivenUp(protocol: 'imap' | 'pop3'): Promise<{ world: World; id: ServerId }> {
    const world = new World({ protocol })
    const id = world.store.deliver(message('a'))
    world.store.deliver(message('b'))
    for (let drain = 0; drain < DRAIN.fetchAttempts; drain++)
      await world.drain({}, { openMailbox: world.broken(id) })
    return { world, id }
  }

  quarantine(): Promise<readonly QuarantinedMessage[]> {
    return listQuarantine(this.mailbox.id, this.archive)
  }
}

for (const protocol of ['imap', 'pop3'] as const)
  describe(`quarantine over ${protocol}`, () => {
    test('has what could not be fetched, with the reason', async () => {
      const { world, id } = await World.withOneGivenUp(protocol)

      const [given, ...more] = await world.quarantine()

      assert.deepEqual(more, [])
      assert.ok(given)
      const { at, epoch, ...rest } = given
      assert.deepEqual(rest, {
        mailbox: world.mailbox.id,
        folder: 'INBOX',
        id,
        code: 'MESSAGE_UNFETCHABLE',
        reason: 'the server says NO',
        attempts: DRAIN.fetchAttempts,
        octets: 7,
        limitOctets: undefined,
        dismissed: undefined,
      })
      assert.equal(quarantineName(given), `invoices/INBOX/${id}`)
    })

    test('a message that is retried is fetched by the next drain, and leaves it', async () => {
      const { world } = await World.withOneGivenUp(protocol)
      const given = await world.quarantine()
      assert.equal((await world.drain()).counts.announced, 0)

      await decide(world.mailbox, world.archive, retryEntries(given, DECISION))
      const report = await world.drain()

      assert.equal(report.counts.announced, 1)
      assert.equal((await world.archived(message('a'))).toString(), message('a'))
      assert.deepEqual(await world.quarantine(), [])
    })

    test('a message that is retried in vain comes back after as many attempts as before', async () => {
      const { world, id } = await World.withOneGivenUp(protocol)
      const given = await world.quarantine()
      await decide(world.mailbox, world.archive, retryEntries(given, DECISION))

      for (let attempt = 1; attempt < DRAIN.fetchAttempts; attempt++) {
        await world.drain({}, { openMailbox: world.broken(id) })
        assert.deepEqual(await world.quarantine(), [])
      }
      await world.drain({}, { openMailbox: world.broken(id) })

      assert.equal((await world.quarantine()).length, 1)
      const history = await quarantineHistory(given[0] as QuarantinedMessage, world.archive)
      const attempts = [...Array.from({ length: DRAIN.fetchAttempts - 1 }, () => 'failed'), 'quarantined']
      assert.deepEqual(
        history.map(({ entry }) => entry.type),
        [...attempts, 'refetch', ...attempts],
      )
    })

    test('a message that is dismissed is not fetched any more, and who and why stays', async () => {
      const { world } = await World.withOneGivenUp(protocol)
      await decide(world.mailbox, world.archive, dismissEntries(await world.quarantine(), DECISION))

      // Twice: by the ledger, and by the snapshot that the first drain has left.
      for (let drain = 0; drain < 2; drain++) {
        world.store.deliver(message(`later ${drain}`))
        assert.equal((await world.drain()).counts.announced, 1)
      }

      const [{ dismissed } = { dismissed: undefined }] = await world.quarantine()
      assert.deepEqual([dismissed?.by, dismissed?.reason], [DECISION.by, DECISION.reason])
    })

    test('a message that was too large and is dismissed stays out when the limit is raised', async () => {
      const world = new World({ protocol, limits: { messageOctets: 2000 } })
      world.store.deliver(message('large', BODY))
      world.store.deliver(message('larger', BODY))
      await world.drain()
      const given = await world.quarantine()
      assert.deepEqual(
        given.map(({ code, limitOctets }) => [code, limitOctets]),
        [
          ['MESSAGE_TOO_LARGE', 2000],
          ['MESSAGE_TOO_LARGE', 2000],
        ],
      )
      await decide(world.mailbox, world.archive, dismissEntries(given.slice(0, 1), DECISION))

      const raised = mailboxConfig({ protocol, limits: { messageOctets: 50_000 } })
      const report = await world.drain({}, {}, raised)

      assert.equal(report.counts.announced, 1)
      assert.equal((await world.quarantine()).length, 1)
      assert.equal((await world.archived(message('larger', BODY))).toString(), message('larger', BODY))
    })
  })
