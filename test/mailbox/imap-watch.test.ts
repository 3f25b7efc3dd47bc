import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { IngestError } from '../../shared/errors.ts'
import { IMAP, RELAY } from '../../shared/limits.ts'
import { imapWatchOpener, openImapWatch } from '../../shared/mailbox/imap-watch.ts'
import type { MailboxAccess } from '../../shared/mailbox/mailbox.ts'
import type { Watch, WatchListener } from '../../shared/mailbox/watch.ts'
import { type IdleServer, startIdleServer } from '../support/idle-server.ts'
import { accessTo } from '../support/imap-session.ts'

const USER = 'invoices@example.com'

/** What a watch says, in its order; the test waits for the next word. */
class Listener implements WatchListener {
  readonly said: string[] = []
  #next: (() => void) | undefined
  counted(messages: number): void {
    this.#say(`${messages} messages`)
  }
  heard(): void {
    this.#say('heard')
  }
  idleEnded(): void {
    this.#say('idle ended')
  }
  lost(error: IngestError): void {
    assert.ok(error instanceof IngestError)
    this.#say(`lost ${error.code}`)
  }
  async hears(count: number): Promise<readonly string[]> {
    while (this.said.length < count)
      await new Promise<void>((resolve) => {
        this.#next = resolve
      })
    return this.said
  }
  #say(word: string): void {
    this.said.push(word)
    this.#next?.()
  }
}

describe('a watch', () => {
  const closing: (() => unknown)[] = []
  after(() => Promise.all(closing.map((close) => close())))
  const start: typeof startIdleServer = async (options) => {
    const server = await startIdleServer(options)
    closing.push(() => server.close())
    return server
  }
  async function watch(
    server: IdleServer,
    {
      access = {},
      open = openImapWatch,
    }: { access?: Partial<MailboxAccess>; open?: typeof openImapWatch } = {},
  ): Promise<{ watch: Watch; listener: Listener }> {
    const listener = new Listener()
    const watch = await open(accessTo(server, { user: USER, ...access }), listener)
    closing.push(() => watch.abort())
    return { watch, listener }
  }
  async function idle(server: IdleServer): Promise<{ watch: Watch; listener: Listener }> {
    const watched = await watch(server)
    await watched.watch.folders()
    await watched.watch.select('INBOX')
    watched.watch.idle()
    await server.whenIdling(1)
    return watched
  }

  test('tells what arrives', async () => {
    const server = await start()
    const { listener } = await idle(server)

    server.deliver(USER, 'INBOX', 3)
    server.deliver(USER)

    assert.deepEqual(await listener.hears(2), ['3 messages', '4 messages'])
  })

  test('tells what leaves, so that an arrival after it is one more', async () => {
    const server = await start()
    server.deliver(USER, 'INBOX', 5)
    const { listener } = await idle(server)

    server.expunge(USER)
    server.expunge(USER)
    server.deliver(USER)

    assert.deepEqual(await listener.hears(3), ['4 messages', '3 messages', '4 messages'])
  })

  test('hears that somebody reads', async () => {
    const server = await start()
    server.deliver(USER)
    const { listener } = await idle(server)

    server.flag(USER)

    assert.deepEqual(await listener.hears(1), ['heard'])
  })

  test('ends IDLE with DONE before it asks, and begins it anew', async () => {
    const server = await start()
    const { watch, listener } = await idle(server)
    const before = server.commands.length

    await watch.prove()
    watch.idle()
    await server.whenIdling(1)

    assert.deepEqual(server.commands.slice(before), ['DONE', 'NOOP', 'IDLE'])
    assert.deepEqual(listener.said, [])
  })

  test('sees with SELECT what it was not told', async () => {
    const server = await start()
    server.deliver(USER, 'INBOX', 2)
    const { watch, listener } = await idle(server)
    server.misbehave = { mute: true }
    server.deliver(USER)

    const seen = await watch.select('INBOX')

    assert.deepEqual(seen, { folder: 'INBOX', epoch: '1', messages: 3, uidNext: 4, ids: undefined })
    assert.deepEqual(listener.said, [])
  })

  test('asks for another folder without leaving its own', async () => {
    const server = await start({ folders: ['INBOX', 'Archive'] })
    server.deliver(USER, 'Archive', 7)
    const { watch, listener } = await idle(server)

    const other = await watch.status('Archive')
    watch.idle()
    await server.whenIdling(1)
    server.deliver(USER)

    assert.deepEqual(other, { folder: 'Archive', epoch: '1', messages: 7, uidNext: 8, ids: undefined })
    assert.deepEqual(await listener.hears(1), ['1 messages'])
  })

  test('says when the server ends IDLE by itself, and can begin it again', async () => {
    const server = await start()
    const { watch, listener } = await idle(server)

    server.endIdle()

    assert.deepEqual(await listener.hears(1), ['idle ended'])
    assert.equal(watch.canIdle, true)
    watch.idle()
    await server.whenIdling(1)
  })

  test('says when the server refuses IDLE, and goes on without', async () => {
    const server = await start()
    server.misbehave = { refuseIdle: true }
    const { watch: watching, listener } = await watch(server)
    await watching.folders()
    await watching.select('INBOX')

    watching.idle()

    assert.deepEqual(await listener.hears(1), ['idle ended'])
    assert.equal(watching.canIdle, false)
    await watching.prove()
  })

  test('knows of a server without IDLE before it tries', async () => {
    const server = await start({ capabilities: 'IMAP4rev1' })

    assert.equal((await watch(server)).watch.canIdle, false)
  })

  test('says once that the connection is lost', async () => {
    const server = await start()
    const { watch, listener } = await idle(server)

    server.drop()

    assert.deepEqual(await listener.hears(1), ['lost CONNECTION_LOST'])
    await assert.rejects(watch.prove(), { code: 'CONNECTION_LOST', scope: 'session' })
    await watch.close()
    assert.deepEqual(listener.said, ['lost CONNECTION_LOST'])
  })

  test('a server that hangs up on the question has not answered it', async () => {
    const server = await start()
    const { watch, listener } = await idle(server)
    server.misbehave = { dropOn: 'NOOP' }

    await assert.rejects(watch.prove(), { code: 'CONNECTION_LOST', scope: 'session' })

    assert.deepEqual(listener.said, ['lost CONNECTION_LOST'])
  })

  test('a server that does not answer within the deadline is lost', async () => {
    const server = await start()
    const hasty = imapWatchOpener({ ...IMAP, commandMs: 200 })
    const { watch: watching, listener } = await watch(server, { open: hasty })
    await watching.folders()
    await watching.select('INBOX')
    watching.idle()
    await server.whenIdling(1)

    server.misbehave = { frozen: true }

    await assert.rejects(watching.prove(), { code: 'TIMED_OUT', scope: 'session' })
    assert.deepEqual(await listener.hears(1), ['lost TIMED_OUT'])
  })

  test('signs out of IDLE, and says nothing of an end that was wanted', async () => {
    const server = await start()
    const { watch, listener } = await idle(server)

    await watch.close()
    await watch.close()

    assert.deepEqual(server.commands.slice(-2), ['DONE', 'LOGOUT'])
    assert.deepEqual(listener.said, [])
    while (server.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  test('finds the folders that the globs name', async () => {
    const server = await start({ folders: ['INBOX', 'Work', 'Work/Bills', 'Trash'] })

    const { watch: watching } = await watch(server, { access: { folders: ['INBOX', 'Work*'] } })
    assert.deepEqual(await watching.folders(), ['INBOX', 'Work', 'Work/Bills'])
    const { watch: other } = await watch(server, { access: { folders: ['Missing'] } })
    await assert.rejects(other.folders(), { code: 'FOLDER_MISSING', scope: 'mailbox' })
  })

  test('tells how long its access token lasts', async () => {
    const server = await start()
    const accessTokenEndsAt = new Date(Date.now() + 3_600_000)

    const { watch: byToken } = await watch(server, { access: { accessTokenEndsAt } })
    const { watch: byPassword } = await watch(server)

    assert.ok(
      byToken.sessionMs !== undefined && byToken.sessionMs > 3_500_000 && byToken.sessionMs <= 3_600_000,
    )
    assert.equal(byPassword.sessionMs, undefined)
  })

  test('a wrong password is refused as such', async () => {
    const server = await start()
    server.misbehave = { refuseLogin: 'AUTHENTICATIONFAILED' }

    await assert.rejects(watch(server), { code: 'AUTHENTICATION_FAILED', scope: 'mailbox' })
  })

  test('asks the kernel of the peer for a sign of life before a NAT gateway forgets the connection', {
    skip: process.platform !== 'linux' && 'the kernel tells its timers on Linux only',
  }, async () => {
    const server = await start()
    await idle(server)

    const timers = keepAliveTimersMs(server.port)

    // The kernel counts down: one of a few milliseconds ago is still close to its whole.
    assert.equal(timers.length, 1)
    const [timer = 0] = timers
    assert.ok(timer <= RELAY.keepAliveMs && timer > RELAY.keepAliveMs / 2, `${timer} ms`)
    assert.ok(timer < 350_000)
  })
})

/** Of the connections to this port, in milliseconds: column `tr tm->when` of /proc/net/tcp, kind 2, in hundredths of a second. */
function keepAliveTimersMs(port: number): number[] {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  return rows
    .filter((columns) => columns[2] === remote && columns[5]?.startsWith('02:'))
    .map((columns) => Number.parseInt(columns[5]?.slice(3) ?? '', 16) * 10)
}
