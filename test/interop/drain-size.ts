import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { CliProcesses } from '../support/cli-process.ts'
import { conversation } from '../support/conversation.ts'
import type { MailServer } from '../support/mail-server.ts'
import { digestOf, takeEvents } from '../support/stores.ts'
import { inWorld, largeLetter, letter, MEMORY_MIB, newUser, onWire } from './mail-servers.ts'

const MANY = 5_000

/** Many messages, and one that is very large: on a server that is running when the tests do. */
export function sizeOn(running: () => MailServer): void {
  describe('size', () => {
    for (const protocol of ['imap', 'pop3'] as const) {
      test(`${MANY} messages over ${protocol} are all archived and announced, in few round trips`, async (t) => {
        await inWorld(running(), async (world, user) => {
          const letters = Array.from({ length: MANY }, (_, index) => letter(index))
          await running().put(user, 'INBOX', letters)
          const lines: string[] = []

          const report = await world.drain({ protocol }, { transcript: (line) => lines.push(line) })

          assert.equal(report.error, undefined)
          assert.equal(report.counts.announced, MANY)
          assert.equal(await world.waiting(), MANY)
          const expected = letters.map((text) => digestOf(onWire(text)))
          const recorded = (await world.entries()).map((entry) => entry.type === 'message' && entry.sha256)
          assert.deepEqual(recorded.sort(), expected.sort())
          const verification = await world.verify()
          assert.equal(verification.messages, MANY)
          const { commands, waits } = conversation(lines)
          t.diagnostic(
            `${report.elapsedMs} ms, ${commands} commands, ${waits} times waited for an answer, ${verification.segments} segments`,
          )
          assert.ok(waits < 40, `waited ${waits} times`)
        })
      })

      test(`a message of 150 MB over ${protocol} is archived, parsed and announced in less than 300 MB of memory`, async (t) => {
        const user = newUser()
        const { octets, length, sha256 } = await largeLetter(150_000_000)
        await running().put(user, 'INBOX', [{ octets: octets() }, letter(2)])

        const { ports, password, ca } = running()
        const account = { id: 'invoices', protocol, host: 'localhost', port: ports[`${protocol}s`], user }
        const cli = await CliProcesses.open([{ ...account, ca: 'ca.pem' }], { password, ca })
        try {
          const { status, stdout, stderr } = await cli.run('drain', '--json')
          const peakMib = await cli.peakMib()
          t.diagnostic(`${peakMib} MiB, ${JSON.parse(stdout).elapsedMs} ms`)

          assert.equal(status, 0, stderr)
          assert.ok(peakMib < MEMORY_MIB, `${peakMib} MiB`)
          const stores = cli.openStores()
          const events = await takeEvents(stores.queues)
          await stores.close()
          const large = events.find(({ id }) => id === `invoices/${sha256}`)
          assert.ok(large?.type === MESSAGE_ARCHIVED)
          assert.equal(large.data.raw.octets, length)
          assert.equal(large.data.message.subject, 'large')
          assert.equal(large.data.parse.status, 'parsed')
          assert.equal(events.length, 2)
        } finally {
          await cli.close()
        }
      })
    }
  })
}
