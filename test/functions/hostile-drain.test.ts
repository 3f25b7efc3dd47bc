import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ArchivedData, eventSchema, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { QUEUE } from '../../shared/limits.ts'
import { jsonLines } from '../support/cli.ts'
import { CliProcesses } from '../support/cli-process.ts'
import { HOSTILE_MESSAGES } from '../support/hostile-messages.ts'
import { type Pop3Server, startPop3Server } from '../support/pop3-server.ts'

// The hostile messages in a drain as it is run: a process of its own, from a server, with archive and queues on this machine.

/** A Lambda of 512 MB has to hold it, and its runtime. */
const BOUND_MIB = 480

describe('a drain of hostile messages', { skip: process.platform !== 'linux' && 'reads /proc' }, () => {
  let server: Pop3Server
  let processes: CliProcesses
  before(async () => {
    server = await startPop3Server({
      messages: HOSTILE_MESSAGES.map(({ make }, number) => ({
        uidl: `hostile-${number}`,
        // Made when it is asked for: together they have some hundred megabytes.
        get octets() {
          return make()
        },
      })),
    })
    const { port, user, password } = server
    const mailbox = { id: 'hostile', protocol: 'pop3', host: '127.0.0.1', port, tls: 'none', user }
    processes = await CliProcesses.open([mailbox], { password })
  })
  after(async () => {
    await processes.close()
    await server.close()
  })

  test('archives and announces each of them, with a valid event that says how far it was read', async () => {
    const { status, stdout, stderr } = await processes.run('drain', '--json')
    const peakMib = await processes.peakMib()

    assert.deepEqual([status, stderr], [0, ''])
    const count = HOSTILE_MESSAGES.length
    const [report] = jsonLines(stdout)
    assert.equal(report?.announced, count)
    assert.ok(peakMib > 0 && peakMib < BOUND_MIB, `${peakMib} MiB`)

    const received = await processes.run('events', 'receive', '--json', '--max', String(count + 1))
    assert.equal(received.status, 0)
    const bodies = received.stdout.trimEnd().split('\n')
    const told = new Map<string, ArchivedData>()
    for (const body of bodies) {
      assert.ok(Buffer.byteLength(body) <= QUEUE.eventOctets)
      const event = eventSchema.parse(JSON.parse(body))
      assert.ok(event.type === MESSAGE_ARCHIVED)
      const { mailbox } = event.data
      told.set('uidl' in mailbox ? String(mailbox.uidl) : '', event.data)
    }
    for (const [number, { name }] of HOSTILE_MESSAGES.entries()) {
      const data = told.get(`hostile-${number}`) ?? assert.fail(`no event: ${name}`)
      assert.notEqual(data.parse.status, 'failed', name)
      const { key, octets } = data.raw
      assert.equal(readFileSync(join(processes.folder, 'local', 'archive', key)).length, octets, name)
    }
    console.log(`# ${count} hostile messages: ${peakMib} MiB`)
  })
})
