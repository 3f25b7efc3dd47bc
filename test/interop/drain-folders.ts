import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { countIds } from '../../shared/ledger/id-days.ts'
import type { LocalWorld } from '../support/local-world.ts'
import type { MailServer } from '../support/mail-server.ts'
import { inWorld, letter } from './mail-servers.ts'

/** Which messages of an IMAP account are drained: on a server that is running when the tests do. */
export function foldersOn(running: () => MailServer): void {
  async function announcedIn(world: LocalWorld): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const event of await world.takeEvents()) {
      assert.ok(event.type === MESSAGE_ARCHIVED)
      const { folder } = event.data.mailbox
      counts[folder] = (counts[folder] ?? 0) + 1
    }
    return counts
  }

  describe('folders and searches', () => {
    test('every folder that a glob names is drained, and no other; one that is made later too', async () => {
      await inWorld(running(), async (world, user) => {
        const { folderPrefix } = running()
        const level = folderPrefix.at(-1) ?? '/'
        const named = (name: string): string => folderPrefix + name.replaceAll('/', level)
        const settings = { folders: ['INBOX', `Clients${level}*`], afterArchive: 'seen' }
        let number = 0
        const put = (folder: string, count: number): Promise<void> =>
          running().put(
            user,
            folder,
            Array.from({ length: count }, () => letter(++number)),
          )
        await put('INBOX', 1)
        await put('Clients/Acme', 2)
        await put('Clients/Müller', 1)
        await put('Clients/Beta', 3)
        await put('Private', 4)

        const report = await world.drain(settings)

        assert.equal(report.error, undefined)
        assert.equal(report.counts.acknowledged, 7)
        assert.deepEqual(await announcedIn(world), {
          INBOX: 1,
          [named('Clients/Acme')]: 2,
          [named('Clients/Beta')]: 3,
          [named('Clients/Müller')]: 1,
        })

        await put('Clients/Gamma', 5)
        await put('Clients/Acme', 1)
        await world.drain(settings)
        assert.deepEqual(await announcedIn(world), {
          [named('Clients/Gamma')]: 5,
          [named('Clients/Acme')]: 1,
        })
        await world.verify()
      })
    })

    test('what a search on the server leaves out is recorded as filtered once, and drained when the search is gone', async () => {
      await inWorld(running(), async (world, user) => {
        await running().put(
          user,
          'INBOX',
          Array.from({ length: 10 }, (_, index) => letter(index, index < 4 ? 'X: y\n' : '')),
        )
        const search = { subject: 'letter 3' }

        const first = await world.drain({ search })
        assert.equal(first.error, undefined)
        assert.deepEqual([first.listed, first.counts.announced, first.counts.filtered], [10, 1, 9])
        const again = await world.drain({ search })
        assert.deepEqual([again.counts.filtered, again.counts.segments, again.octets], [0, 0, 0])
        const filtered = (await world.entries()).flatMap((entry) =>
          entry.type === 'filtered' ? [countIds(entry.ids)] : [],
        )
        assert.deepEqual(filtered, [9])

        const all = await world.drain()
        assert.deepEqual([all.counts.announced, all.counts.duplicates], [9, 0])
        assert.equal((await world.takeEvents()).length, 10)
        await world.verify()
      })
    })
  })
}
