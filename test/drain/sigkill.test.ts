import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { DRAIN } from '../../shared/limits.ts'
import { startImapServer } from '../support/imap-server.ts'
import { type FilledMailbox, killDrains, variedMessages } from '../support/killed-drains.ts'
import { startPop3Server } from '../support/pop3-server.ts'

// The crash points of crash-points.test.ts are those that we thought of. Here the operating system ends the process, wherever it is.

const KILLS = 15
const MESSAGES = 300
const SEED = Number(process.env.SIGKILL_SEED ?? Date.now() % 1_000_000)

describe('a drain that is ended with SIGKILL', { concurrency: true }, () => {
  const closing: (() => Promise<void>)[] = []
  after(async () => {
    for (const close of closing) await close()
  })

  async function fillImap(): Promise<FilledMailbox> {
    const messages = variedMessages(MESSAGES)
    const server = await startImapServer({ messages: messages.map((octets) => ({ raw: octets })) })
    closing.push(() => server.close())
    return {
      settings: { protocol: 'imap', host: '127.0.0.1', port: server.port, tls: 'none', user: server.user },
      password: server.password,
      messages,
      left: async () => server.messages('INBOX').map(({ uid }) => messages[uid - 1] as Buffer),
    }
  }

  async function fillPop3(): Promise<FilledMailbox> {
    const messages = variedMessages(MESSAGES)
    const maildrop = messages.map((octets, index) => ({ uidl: `uidl-${index}`, octets }))
    const server = await startPop3Server({ messages: maildrop })
    closing.push(() => server.close())
    return {
      settings: { protocol: 'pop3', host: '127.0.0.1', port: server.port, tls: 'none', user: server.user },
      password: server.password,
      messages,
      left: async () => server.maildrop.map(({ octets }) => octets),
    }
  }

  for (const [name, fill] of [
    ['IMAP', fillImap],
    ['POP3', fillPop3],
  ] as const)
    test(`loses nothing over ${name}, deletes nothing that is not safe, and announces under one id (seed ${SEED})`, async (t: TestContext) => {
      const report = await killDrains({ fill, afterArchive: 'delete', kills: KILLS, seed: SEED })

      t.diagnostic(JSON.stringify(report))
      assert.ok(report.died >= KILLS * 0.8, 'most died by the signal')
      assert.ok(report.leftProgress >= KILLS / 2, 'and had got somewhere')
      assert.ok(report.repeats <= report.died * DRAIN.segmentMessages, `${report.repeats} events came again`)
    })
})
