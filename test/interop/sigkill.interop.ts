import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DRAIN } from '../../shared/limits.ts'
import { available, startDovecot } from '../support/dovecot.ts'
import { type FilledMailbox, killDrains, variedMessages } from '../support/killed-drains.ts'
import type { MailServer } from '../support/mail-server.ts'
import { servedByImap } from '../support/plain-clients.ts'
import { newUser } from './mail-servers.ts'

const KILLS = 30
const MESSAGES = 300
const SEED = Number(process.env.SIGKILL_SEED ?? Date.now() % 1_000_000)

describe('a drain from Dovecot that is ended with SIGKILL', {
  concurrency: true,
  skip: available() ?? false,
}, () => {
  let server: MailServer
  before(async () => {
    server = await startDovecot()
  })
  after(() => server.stop())

  async function fill(protocol: 'imap' | 'pop3'): Promise<FilledMailbox> {
    const user = newUser()
    const messages = variedMessages(MESSAGES)
    const stored = messages.map((octets) => octets.toString('latin1').replaceAll('\r\n', '\n'))
    await server.put(user, 'INBOX', stored)
    const { ports, password, ca } = server
    return {
      settings: { protocol, host: 'localhost', port: ports[`${protocol}s`], user },
      password,
      ca,
      messages,
      left: async () => (await servedByImap(server, user)).map(({ octets }) => octets),
    }
  }

  for (const [protocol, afterArchive] of [
    ['imap', 'delete'],
    ['pop3', 'delete'],
  ] as const)
    test(`loses nothing over ${protocol}, deletes nothing that is not safe, and announces under one id (seed ${SEED})`, async (t) => {
      const report = await killDrains({
        fill: () => fill(protocol),
        afterArchive,
        kills: KILLS,
        seed: SEED,
      })

      t.diagnostic(JSON.stringify(report))
      assert.ok(report.died >= KILLS * 0.8, 'most died by the signal')
      assert.ok(report.leftProgress >= KILLS / 2, 'and had got somewhere')
      assert.ok(report.repeats <= report.died * DRAIN.segmentMessages, `${report.repeats} events came again`)
    })
})
