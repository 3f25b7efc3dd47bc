import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MailServer } from '../support/mail-server.ts'
import { servedByImap } from '../support/plain-clients.ts'
import { inWorld, letter, onWire } from './mail-servers.ts'

const DAY_MS = 86_400_000
const START = new Date('2026-03-01T12:00:00Z')

/** What a drain does with messages that are safe, as another client sees it: on a server that is running when the tests do. */
export function acknowledgementOn(running: () => MailServer): void {
  /** Three messages; another client has marked the second one \Deleted and not expunged it. */
  const put = (user: string): Promise<void> =>
    running().put(user, 'INBOX', [letter(1), { octets: letter(2), flags: 'T' }, letter(3)])

  async function flagsOf(user: string, folder = 'INBOX'): Promise<Record<string, readonly string[]>> {
    const messages = await servedByImap(running(), user, folder)
    return Object.fromEntries(
      messages.map(({ octets, flags }) => [
        /letter \d+/.exec(octets.toString('latin1'))?.[0],
        flags.filter((flag) => flag !== '\\Recent').sort(),
      ]),
    )
  }

  const UNTOUCHED = { 'letter 1': [], 'letter 2': ['\\Deleted'], 'letter 3': [] }
  /** RETR marks what it sends as \\Seen, on both servers. */
  const FETCHED = {
    imap: UNTOUCHED,
    pop3: { 'letter 1': ['\\Seen'], 'letter 2': ['\\Deleted', '\\Seen'], 'letter 3': ['\\Seen'] },
  }

  describe('afterArchive', () => {
    for (const protocol of ['imap', 'pop3'] as const)
      test(`keep leaves everything as it is (${protocol})`, async () => {
        await inWorld(running(), async (world, user) => {
          await put(user)
          const before = await running().files(user)

          const report = await world.drain({ protocol, afterArchive: 'keep' })

          assert.equal(report.counts.announced, 3)
          assert.equal(report.counts.acknowledged, 0)
          assert.deepEqual(await flagsOf(user), FETCHED[protocol])
          assert.equal((await running().files(user)).length, before.length)
        })
      })

    for (const [afterArchive, flag] of [
      ['seen', '\\Seen'],
      [{ flag: 'Archived' }, 'Archived'],
    ] as const)
      test(`${JSON.stringify(afterArchive)} marks each message, and marks again what somebody has unmarked`, async () => {
        await inWorld(running(), async (world, user) => {
          await put(user)

          const report = await world.drain({ afterArchive })

          assert.equal(report.error, undefined)
          assert.equal(report.counts.acknowledged, 3)
          const marked = { 'letter 1': [flag], 'letter 2': ['\\Deleted', flag].sort(), 'letter 3': [flag] }
          assert.deepEqual(await flagsOf(user), marked)

          await running().put(user, 'INBOX', [letter(4)])
          const second = await world.drain({ afterArchive })
          assert.equal(second.counts.acknowledged, 1)
          assert.deepEqual(await flagsOf(user), { ...marked, 'letter 4': [flag] })
        })
      })

    test('{ move } moves each message to its folder, octet by octet, once', async () => {
      await inWorld(running(), async (world, user) => {
        await put(user)
        await running().put(user, 'Done', [])
        const settings = { afterArchive: { move: 'Done' } }

        const report = await world.drain(settings)

        assert.equal(report.error, undefined)
        // Without MOVE a message that bears \\Deleted may be one that was copied before, and stays.
        const left = await flagsOf(user)
        assert.ok(Object.values(left).every((flags) => flags.includes('\\Deleted')))
        const moved = await servedByImap(running(), user, 'Done')
        assert.equal(report.counts.acknowledged, moved.length)
        const numbers = [1, 2, 3].filter((number) => !(`letter ${number}` in left))
        assert.deepEqual(
          moved.map(({ octets }) => octets.toString()).sort(),
          numbers.map((number) => onWire(letter(number)).toString()),
        )
        const again = await world.drain({ ...settings, folders: ['*'] })
        assert.equal(again.error, undefined)
        assert.equal((await servedByImap(running(), user, 'Done')).length, moved.length)
        assert.equal((await world.takeEvents()).length, 3)
      })
    })

    test("{ move } to a folder that is missing moves nothing and is the mailbox's error; what is archived counts", async () => {
      await inWorld(running(), async (world, user) => {
        await put(user)

        const report = await world.drain({ afterArchive: { move: 'Gone' } })

        assert.equal(report.error?.code, 'FOLDER_MISSING')
        assert.deepEqual(await flagsOf(user), UNTOUCHED)
        assert.equal(report.counts.announced, 3)
        await world.verify()
      })
    })

    for (const protocol of ['imap', 'pop3'] as const) {
      test(`delete removes what is archived and nothing that came since (${protocol})`, async () => {
        await inWorld(running(), async (world, user) => {
          await put(user)

          // Mail that comes while the drain is at work is not in its listing.
          let delivery: Promise<void> | undefined
          const report = await world.drain(
            { protocol, afterArchive: 'delete' },
            {
              progress: ({ phase, done }) => {
                if (phase === 'fetching' && done === 1)
                  delivery ??= running().put(user, 'INBOX', [{ octets: letter(4), flags: 'T' }, letter(5)])
              },
            },
          )
          await delivery

          assert.equal(report.error, undefined)
          assert.equal(report.counts.announced, 3)
          assert.equal(report.counts.acknowledged, 3)
          assert.deepEqual(await flagsOf(user), { 'letter 4': ['\\Deleted'], 'letter 5': [] })
          const entries = await world.entries()
          const intents = entries.filter(({ type }) => type === 'acknowledge' || type === 'acknowledged')
          assert.deepEqual(
            intents.map(({ type }) => type),
            ['acknowledge', 'acknowledged'],
          )
        })
      })

      test(`{ deleteAfterDays: 30 } removes a message on the thirtieth day after it was archived (${protocol})`, async () => {
        await inWorld(running(), async (world, user) => {
          const settings = { protocol, afterArchive: { deleteAfterDays: 30 } }
          const onDay = (days: number) => ({ now: () => new Date(START.getTime() + days * DAY_MS) })
          await put(user)
          assert.equal((await world.drain(settings, onDay(0))).counts.announced, 3)
          await running().put(user, 'INBOX', [letter(4)])
          assert.equal((await world.drain(settings, onDay(10))).counts.announced, 1)

          const early = await world.drain(settings, onDay(29))
          assert.equal(early.counts.acknowledged, 0)
          const fourth = { 'letter 4': protocol === 'pop3' ? ['\\Seen'] : [] }
          assert.deepEqual(await flagsOf(user), { ...FETCHED[protocol], ...fourth })

          const due = await world.drain(settings, onDay(30))
          assert.equal(due.counts.acknowledged, 3)
          assert.deepEqual(await flagsOf(user), fourth)

          assert.equal((await world.drain(settings, onDay(40))).counts.acknowledged, 1)
          assert.deepEqual(await flagsOf(user), {})
          assert.equal((await world.takeEvents()).length, 4)
          await world.verify()
        })
      })
    }
  })

  describe('what others have marked \\Deleted', () => {
    for (const protocol of ['imap', 'pop3'] as const)
      test(`stays when it is not due, though its neighbours are deleted (${protocol})`, async () => {
        await inWorld(running(), async (world, user) => {
          const settings = { protocol, afterArchive: { deleteAfterDays: 5 } }
          const onDay = (days: number) => ({ now: () => new Date(START.getTime() + days * DAY_MS) })
          await running().put(user, 'INBOX', [letter(1), letter(3)])
          await world.drain(settings, onDay(0))
          await running().put(user, 'INBOX', [{ octets: letter(2), flags: 'T' }])

          const report = await world.drain(settings, onDay(5))

          assert.equal(report.counts.acknowledged, 2)
          assert.deepEqual(Object.keys(await flagsOf(user)), ['letter 2'])
        })
      })
  })
}
