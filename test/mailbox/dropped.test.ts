import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { openImap } from '../../shared/mailbox/imap.ts'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
import { startImapServer } from '../support/imap-server.ts'
import { accessTo } from '../support/imap-session.ts'
import { startPop3Server } from '../support/pop3-server.ts'

// A program that ends does not wait for servers: the signal of an access drops its connection, whatever it is at.

for (const { protocol, open, start, stuck } of [
  { protocol: 'IMAP', open: openImap, start: () => startImapServer(), stuck: '* OK ready\r\n' },
  { protocol: 'POP3', open: openPop3, start: () => startPop3Server({}), stuck: '+OK ready\r\n' },
])
  describe(`a connection by ${protocol} whose time is over`, () => {
    const sockets = new Set<Socket>()
    let silent: Server
    let greets = false
    before(async () => {
      silent = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => {})
        if (greets) socket.write(stuck)
      }).listen(0, '127.0.0.1')
      await once(silent, 'listening')
    })
    after(() => {
      for (const socket of sockets) socket.destroy()
      silent.close()
    })

    for (const state of ['before the greeting', 'at sign-in'])
      test(`is dropped ${state}, though its server says nothing`, async () => {
        greets = state === 'at sign-in'
        const stopping = new AbortController()
        const port = (silent.address() as AddressInfo).port
        const opening = open(accessTo({ port }, { signal: stopping.signal }))
        const [socket] = (await once(silent, 'connection')) as [Socket]
        // What is asked after the greeting has come.
        if (greets) await once(socket, 'data')

        stopping.abort()

        await assert.rejects(opening, { code: /^CONNECTION_(FAILED|LOST)$/, scope: 'session' })
      })

    test('is dropped while it stands, and whoever asks next is told', async (context) => {
      const server = await start()
      context.after(() => server.close())
      const stopping = new AbortController()
      const session = await open(accessTo(server, { signal: stopping.signal }))

      stopping.abort()

      await assert.rejects(session.status(), { code: 'CONNECTION_LOST', scope: 'session' })
      await session.close().catch(() => {})
    })

    test('is not made any more', async () => {
      const opening = open(
        accessTo({ port: (silent.address() as AddressInfo).port }, { signal: AbortSignal.abort() }),
      )
      await assert.rejects(opening, { code: 'CONNECTION_FAILED' })
    })

    test('leaves nothing behind at the signal when it is closed before', async (context) => {
      const server = await start()
      context.after(() => server.close())
      const { signal } = new AbortController()

      const session = await open(accessTo(server, { signal }))
      assert.equal(getEventListeners(signal, 'abort').length, 1)
      await session.close()
      // The socket closes after the answer.
      while (getEventListeners(signal, 'abort').length > 0)
        await new Promise((resolve) => setTimeout(resolve, 5))
    })
  })
