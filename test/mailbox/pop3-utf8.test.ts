import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
import { conversation } from '../support/conversation.ts'
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
        const lines: string[] = []
        const access = accessTo(server, { transcript: (line) => lines.push(line) })
        await withSession(openPop3, access, async (session) => {
          const [message] = await collect(session, await session.list('INBOX'))
          assert.deepEqual(message?.octets?.buffer, MESSAGE.octets)
        })
        const commands = server.commands.map((line) => line.split(' ')[0])
        assert.deepEqual(commands.slice(0, 4), ['CAPA', 'UTF8', 'USER', 'PASS'])
        // One at a time to a server that does not say that it takes several.
        assert.match(lines[lines.indexOf('C: UTF8') + 1] ?? '', /^S: /)
      } finally {
        await server.close()
      }
    })

  test('UTF8 is said together with the log-in to a server that takes several commands at once', async () => {
    for (const answer of ['+OK UTF8 enabled\r\n', '-ERR not now\r\n']) {
      const server = await startPop3Server({
        messages: [MESSAGE],
        capabilities: ['UIDL', 'USER', 'UTF8 USER', 'PIPELINING'],
        answer: (line) => (line === 'UTF8' ? answer : undefined),
      })
      const lines: string[] = []
      try {
        const access = accessTo(server, { transcript: (line) => lines.push(line) })
        await withSession(openPop3, access, async (session) => {
          assert.equal((await session.list('INBOX')).ids.length, 1)
        })
        assert.deepEqual(
          server.commands.slice(0, 4).map((line) => line.split(' ')[0]),
          ['CAPA', 'UTF8', 'USER', 'PASS'],
        )
        // CAPA, UTF8 with USER, PASS, what there is, QUIT.
        assert.equal(conversation(lines).waits, 5)
      } finally {
        await server.close()
      }
    }
  })

  test('a wrong password is refused as such, whatever is said to UTF8', async () => {
    const server = await startPop3Server({
      capabilities: ['UIDL', 'USER', 'UTF8 USER', 'PIPELINING'],
      answer: (line) => (line === 'UTF8' ? '+OK UTF8 enabled\r\n' : undefined),
    })
    try {
      await assert.rejects(openPop3(accessTo(server, { password: async () => 'wrong' })), {
        code: 'AUTHENTICATION_FAILED',
      })
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
