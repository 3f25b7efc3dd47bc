import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
import { accessTo, collect, withSession } from '../support/imap-session.ts'
import { startPop3Server } from '../support/pop3-server.ts'

const MESSAGE = { uidl: 'a', octets: Buffer.from('Subject: caf\xe9\r\n\r\nx\r\n', 'latin1') }

describe('POP3 and mail with 8-bit octets in its header (RFC 6856)', () => {
  for (const [name, answer] of [
    ['agrees', '+OK UTF8 enabled\r\n'],
    ['refuses', '-ERR not now\r\n'],
  ] as const)
    test(`UTF8 is said before the log-in where it is offered, and the session goes on when the server ${name}`, async () => {
      const server = await startPop3Server({
        messages: [MESSAGE],
        capabilities: ['UIDL', 'USER', 'UTF8 USER'],
        answer: (line) => (line === 'UTF8' ? answer : undefined),
      })
      try {
        await withSession(openPop3, accessTo(server), async (session) => {
          const [message] = await collect(session, await session.list('INBOX'))
          assert.deepEqual(message?.octets?.buffer, MESSAGE.octets)
        })
        const commands = server.commands.map((line) => line.split(' ')[0])
        assert.deepEqual(commands.slice(0, 4), ['CAPA', 'UTF8', 'USER', 'PASS'])
      } finally {
        await server.close()
      }
    })

  test('UTF8 is not said where it is not offered', async () => {
    const server = await startPop3Server({ messages: [MESSAGE] })
    try {
      await withSession(openPop3, accessTo(server), async () => {})
      assert.ok(!server.commands.some((line) => line.startsWith('UTF8')))
    } finally {
      await server.close()
    }
  })
})
