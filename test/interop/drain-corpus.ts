import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import type { Sha256 } from '../../shared/contract/ids.ts'
import { corpus, corpusMissing } from '../support/corpus.ts'
import type { LocalWorld } from '../support/local-world.ts'
import type { MailServer } from '../support/mail-server.ts'
import { servedByImap, servedByPop3 } from '../support/plain-clients.ts'
import { digestOf } from '../support/stores.ts'
import { type Candidate, inWorld } from './mail-servers.ts'

const PROTOCOLS = ['imap', 'pop3'] as const
const NUMBERS = new URL('../../docs/servers.md', import.meta.url)

/** Drains of a corpus of odd messages from a server, which is running when they do. */
export function corpusOn({ name }: Candidate, running: () => MailServer): void {
  const withCorpus = { skip: corpusMissing() ?? false }
  const served = async (protocol: (typeof PROTOCOLS)[number], user: string): Promise<Buffer[]> =>
    protocol === 'imap'
      ? (await servedByImap(running(), user)).map(({ octets }) => octets)
      : servedByPop3(running(), user)

  describe('a corpus of odd messages', () => {
    for (const protocol of PROTOCOLS)
      test(
        `over ${protocol} is archived octet by octet as the server serves it, announced once each, and recorded`,
        withCorpus,
        async (t) => {
          await inWorld(running(), async (world, user) => {
            const files = corpusFiles()
            await running().put(user, 'INBOX', files)
            const messages = await served(protocol, user)
            assert.equal(messages.length, files.length)

            const report = await world.drain({ protocol })

            assert.equal(report.error, undefined)
            const distinct = await assertArchived(world, messages)
            const events = await world.takeEvents()
            assert.deepEqual(events.map(({ id }) => id).sort(), [...distinct.keys()].map(eventId).sort())
            for (const event of events) {
              assert.ok(event.type === MESSAGE_ARCHIVED)
              const { sha256, octets } = event.data.raw
              assert.equal(event.id, eventId(sha256))
              assert.equal(octets, distinct.get(sha256 as Sha256)?.length)
            }
            assert.equal(report.counts.announced, distinct.size)
            assert.equal(report.counts.duplicates, files.length - distinct.size)
            assert.equal((await world.verify()).messages, distinct.size)
            t.diagnostic(`${distinct.size} distinct messages in ${report.elapsedMs} ms`)

            const again = await world.drain({ protocol })
            assert.equal(again.octets, 0)
            assert.deepEqual(await world.takeEvents(), [])
          })
        },
      )

    for (const [first, second] of [PROTOCOLS, PROTOCOLS.toReversed()] as [
      (typeof PROTOCOLS)[number],
      (typeof PROTOCOLS)[number],
    ][])
      test(
        `drained by ${first} and then by ${second}, only messages are announced again that the server serves with other octets`,
        withCorpus,
        async () => {
          await inWorld(running(), async (world, user) => {
            await running().put(user, 'INBOX', corpusFiles())
            const before = new Set((await served(first, user)).map(digestOf))
            const other = new Set(
              (await served(second, user)).map(digestOf).filter((one) => !before.has(one)),
            )
            await world.drain({ protocol: first })
            await world.takeEvents()

            const report = await world.drain({ protocol: second })

            assert.equal(report.error, undefined)
            const events = await world.takeEvents()
            assert.deepEqual(events.map(({ id }) => id).sort(), [...other].map(eventId).sort())
            assert.equal((await world.verify()).messages, before.size + other.size)
          })
        },
      )

    test(
      'differs between POP3 and IMAP where docs/servers.md says so, in as many messages',
      withCorpus,
      async (t) => {
        await inWorld(running(), async (_, user) => {
          const files = corpusFiles()
          await running().put(user, 'INBOX', files)
          const byImap = await served('imap', user)
          const byPop3 = await served('pop3', user)
          const counts = { same: 0, unended: 0, crAtEnd: 0, nul: 0, other: 0 }
          let asStored = 0
          for (const [index, file] of files.entries()) {
            const text = file.toString('latin1')
            if (byImap[index]?.equals(Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1'))) asStored++
            if (byImap[index]?.equals(byPop3[index] as Buffer)) counts.same++
            else if (text.endsWith('\r')) counts.crAtEnd++
            else if (!text.endsWith('\n')) counts.unended++
            else if (text.includes('\0')) counts.nul++
            else counts.other++
          }
          t.diagnostic(JSON.stringify({ messages: files.length, asStored, ...counts }))

          assert.equal(counts.other, 0)
          assert.equal(documented(name, 'IMAP sends the file with CRLF for LF, and CRLF as it is'), asStored)
          assert.equal(documented(name, 'POP3 sends the same octets as IMAP'), counts.same)
        })
      },
    )
  })
}

/** As a delivery agent writes them: lines end in LF. */
function corpusFiles(): Buffer[] {
  return corpus().map(({ octets }) =>
    Buffer.from(octets.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  )
}

/** Returns what is served, by its digest. */
async function assertArchived(world: LocalWorld, served: readonly Buffer[]): Promise<Map<Sha256, Buffer>> {
  const distinct = new Map(served.map((octets) => [digestOf(octets), octets]))
  for (const [digest, octets] of distinct) assert.ok((await world.archived(digest)).equals(octets), digest)
  return distinct
}

function eventId(digest: string): string {
  return `invoices/${digest}`
}

/** The first number in the server's column of a row in docs/servers.md. */
function documented(server: string, row: string): number {
  const lines = readFileSync(NUMBERS, 'utf8').split('\n')
  const cells = (line: string): string[] => line.split('|').map((cell) => cell.trim())
  const column = cells(lines.find((line) => /^\| \| Dovecot/.test(line)) ?? '').indexOf(server)
  const cell = cells(lines.find((line) => line.startsWith(`| ${row} |`)) ?? '')[column]
  return Number(/^\d+/.exec(cell ?? '')?.[0])
}
