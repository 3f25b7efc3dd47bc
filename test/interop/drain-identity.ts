import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MAILBOX_RESET, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import type { MailServer } from '../support/mail-server.ts'
import { servedByImap } from '../support/plain-clients.ts'
import { digestOf } from '../support/stores.ts'
import { inWorld, letter, onWire } from './mail-servers.ts'

const LETTERS = Array.from({ length: 20 }, (_, index) => letter(index))
const IDS = LETTERS.map((text) => eventId(onWire(text))).sort()

/** One message, one event id: on a server that is running when the tests do. */
export function identityOn(running: () => MailServer): void {
  describe('a message is announced once', () => {
    test('though its folder was made anew with the same messages, and an event says that it was', async () => {
      await inWorld(running(), async (world, user) => {
        const settings = { folders: ['Work'] }
        await running().put(user, 'Work', LETTERS)
        const first = await world.drain(settings)
        assert.equal(first.error, undefined)
        assert.deepEqual((await world.takeEvents()).map(({ id }) => id).sort(), IDS)

        await running().remove(user, 'Work')
        await running().put(user, 'Work', [...LETTERS, letter(99)])
        const second = await world.drain(settings)

        assert.equal(second.error, undefined)
        const events = await world.takeEvents()
        assert.deepEqual(events.map(({ type }) => type).sort(), [MAILBOX_RESET, MESSAGE_ARCHIVED].sort())
        const reset = events.find(({ type }) => type === MAILBOX_RESET)
        assert.ok(reset?.type === MAILBOX_RESET)
        assert.equal(reset.data.mailbox.folder, `${running().folderPrefix}Work`)
        assert.notEqual(reset.data.from, reset.data.to)
        const news = events.find(({ type }) => type === MESSAGE_ARCHIVED)
        assert.equal(news?.id, eventId(onWire(letter(99))))
        assert.equal(second.counts.duplicates, LETTERS.length)
        assert.equal((await world.verify()).messages, LETTERS.length + 1)

        const third = await world.drain(settings)
        assert.deepEqual([third.octets, third.counts.segments], [0, 0])
      })
    })

    for (const protocol of ['imap', 'pop3'] as const)
      test(`over ${protocol}, and its neighbours too, in whatever order they are delivered between two drains`, async () => {
        await inWorld(running(), async (world, user) => {
          await running().put(user, 'INBOX', [letter(1), letter(3)])
          await world.drain({ protocol })
          // Servers number what is new by file name: this one comes before the others.
          await running().put(user, 'INBOX', [{ octets: letter(2), deliveredAt: 1_600_000_000 }])
          await sleep(1000)

          const report = await world.drain({ protocol })

          assert.equal(report.counts.announced, 1)
          assert.equal(report.octets, onWire(letter(2)).length)
          const expected = [1, 2, 3].map((number) => eventId(onWire(letter(number))))
          assert.deepEqual((await world.takeEvents()).map(({ id }) => id).sort(), expected.sort())
        })
      })

    test('though it lies in several folders, and many times in one', async () => {
      await inWorld(running(), async (world, user) => {
        await running().put(user, 'INBOX', [letter(1), letter(1), letter(2)])
        await running().put(user, 'Copies', [letter(1), letter(2), letter(3)])

        const report = await world.drain({ folders: ['*'] })

        assert.equal(report.error, undefined)
        assert.equal(report.listed, 6)
        assert.equal(report.counts.announced, 3)
        assert.equal(report.counts.duplicates, 3)
        assert.equal((await world.takeEvents()).length, 3)
        // Each copy is on the server, and each is in the ledger.
        const places = (await world.entries()).flatMap((entry) =>
          entry.type === 'message' ? [`${entry.folder} ${entry.id}`] : [],
        )
        assert.equal(new Set(places).size, 6)
        assert.equal((await servedByImap(running(), user, 'Copies')).length, 3)
      })
    })

    test('though the mailbox is drained by POP3 and by IMAP in turn while mail arrives', async () => {
      await inWorld(running(), async (world, user) => {
        const announced: string[] = []
        for (const [turn, protocol] of (['imap', 'pop3', 'imap', 'pop3'] as const).entries()) {
          await running().put(user, 'INBOX', LETTERS.slice(turn * 5, turn * 5 + 5))
          const report = await world.drain({ protocol })
          assert.equal(report.error, undefined)
          assert.equal(report.counts.announced, 5)
          announced.push(...(await world.takeEvents()).map(({ id }) => id))
        }
        assert.deepEqual(announced.sort(), IDS)
        await world.verify()
      })
    })
  })
}

function eventId(octets: Buffer): string {
  return `invoices/${digestOf(octets)}`
}
