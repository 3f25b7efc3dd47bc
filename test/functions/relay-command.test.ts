import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parseDrainRequest } from '../../shared/contract/messages.ts'
import { openLocalQueues } from '../../shared/queue/local.ts'
import { CliFolder, type CliProcess, jsonLines, LAUNCH, mailboxOn, runCli, startCli } from '../support/cli.ts'
import { startIdleServer } from '../support/idle-server.ts'
import { startImapServer } from '../support/imap-server.ts'
import { mail } from '../support/imap-session.ts'
import { noPseudoTerminal, typeInto } from '../support/pseudo-terminal.ts'

// `mailsluice relay` as a user starts it: a process, its output and its signals. The server here has no IDLE; with IDLE it is in
// test/interop/relay.interop.ts.

const PASSWORD = { PASSWORD: 'testpass' }

describe('the relay on the command line', () => {
  const folder = new CliFolder()
  const closing: (() => unknown)[] = []
  after(async () => {
    for (const close of closing.reverse()) await close()
    folder.remove()
  })
  const serve: typeof startImapServer = async (options) => {
    const server = await startImapServer(options)
    closing.push(() => server.close())
    return server
  }
  function start(arguments_: readonly string[], environment: Record<string, string> = {}): CliProcess {
    const relay = startCli(['relay', ...arguments_], { ...PASSWORD, ...environment })
    closing.push(async () => {
      relay.child.kill('SIGKILL')
      await relay.ended
    })
    return relay
  }

  test('drains what is there and what comes, says so line by line, and ends with LOGOUT and status 0 when it is asked to', async () => {
    const server = await serve({ messages: [mail(1), mail(2)] })
    const config = folder.config('lines.yaml', mailboxOn(server, { idle: true, every: '1s' }))
    const local = folder.local('lines')
    const relay = start(['--config', config, local])

    await relay.until('stdout', /orders: 2 archived and announced/)
    await relay.until('stdout', /orders: asking after INBOX: the server has no IDLE/)
    server.append('INBOX', mail(3))
    await relay.until('stdout', /orders: 1 archived and announced/)
    relay.child.kill('SIGTERM')
    const { status, signal, stdout, stderr } = await relay.ended

    assert.deepEqual({ status, signal }, { status: 0, signal: null })
    assert.match(stderr, /ending in good order/)
    for (const line of stdout.trim().split('\n'))
      assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ orders: ./)
    assert.ok(!stdout.includes('\x1b'))
    const logins = server.received.filter((line) => / (LOGIN|AUTHENTICATE) /i.test(line)).length
    assert.ok(logins >= 3, `${logins}`)
    assert.equal(server.received.filter((line) => / LOGOUT$/i.test(line)).length, logins)
    const { stdout: events } = await runCli(['events', 'receive', '--config', config, local, '--json'])
    assert.equal(jsonLines(events).length, 3)
  })

  test('is a table on a terminal, drawn over itself, with state, proof of life, latency and what happened last; Ctrl-C ends it', {
    skip: noPseudoTerminal(),
  }, async () => {
    const server = await serve({ messages: [mail(1)] })
    const config = folder.config('table.yaml', mailboxOn(server, { idle: true, every: '1s' }))
    const command = [process.execPath, LAUNCH, 'relay', '--config', config, folder.local('table')]

    const { status, screen } = await typeInto(
      command,
      [[/orders +polling +[\d.]+ m?s +[\d.]+ m?s +1 archived and announced/, '\x03']],
      { cwd: folder.path, environment: PASSWORD },
    )

    assert.equal(status, 0, screen)
    assert.match(screen, /1 mailbox: 1 polling\s+mailbox +state +proven +latency +last/)
    // The table gives way to what else is said.
    assert.ok(screen.includes('\x1b[2A\x1b[Jmailsluice: ending in good order'), screen)
    assert.doesNotMatch(screen, /^\d{4}-\d\d-\d\dT/m)
  })

  test('is one JSON object a line with --json, and nothing else', async () => {
    const server = await serve({ messages: [mail(1)] })
    const config = folder.config('json.yaml', mailboxOn(server, { idle: true, every: '1s' }))
    const relay = start(['--config', config, folder.local('json'), '--json'])

    await relay.until('stdout', /"kind":"drained".*"announced":1/)
    await relay.until('stdout', /"kind":"connected"/)
    relay.child.kill('SIGINT')
    const { status, stdout } = await relay.ended

    assert.equal(status, 0)
    const lines = jsonLines(stdout)
    assert.deepEqual([...new Set(lines.map(({ kind }) => kind))].toSorted(), [
      'connected',
      'drained',
      'news',
      'requested',
    ])
    for (const line of lines) {
      assert.equal(line.mailbox, 'orders')
      assert.equal(new Date(line.at as string).toISOString(), line.at)
    }
  })

  test('polls what is not to be watched', async () => {
    const server = await serve()
    const config = folder.config('poll.yaml', mailboxOn(server, { every: '1s' }))
    const relay = start(['--config', config, folder.local('poll')])

    server.append('INBOX', mail(1))

    await relay.until('stdout', /orders: something is due/)
    await relay.until('stdout', /orders: 1 archived and announced/)
  })

  test('takes up a configuration that has changed, and keeps the one before when it cannot be used', async () => {
    const [first, second] = [await serve({ messages: [mail(1)] }), await serve({ messages: [mail(2)] })]
    const config = folder.config('changes.yaml', mailboxOn(first, { idle: true }))
    const relay = start(['--config', config, folder.local('changes')])
    await relay.until('stdout', /orders: 1 archived and announced/)

    folder.write('changes.yaml', '{ "queues": 7 }')
    await relay.until('stderr', /the configuration from before stays in force/)
    folder.config(
      'new.yaml',
      mailboxOn(first, { idle: true }),
      mailboxOn(second, { id: 'invoices', idle: true }),
    )
    renameSync(join(folder.path, 'new.yaml'), config)

    await relay.until('stdout', /invoices: 1 archived and announced/)
    relay.child.kill('SIGTERM')
    assert.equal((await relay.ended).status, 0)
  })

  test('suspends a mailbox with a wrong password, and a drain by hand ends that', async () => {
    const server = await serve({ messages: [mail(1)] })
    const config = folder.config('suspended.yaml', mailboxOn(server, { idle: true }))
    const local = folder.local('suspended')
    const relay = start(['--config', config, local], { PASSWORD: 'wrong' })
    await relay.until(
      'stdout',
      /orders: suspended: the server does not accept user and password: AUTHENTICATION_FAILED/,
    )

    const checked = await runCli(['check', '--config', config, local, '--json'], PASSWORD)
    const { suspended } = jsonLines(checked.stdout).find(({ kind }) => kind === 'mailbox') ?? {}
    assert.equal((suspended as { code?: string } | undefined)?.code, 'AUTHENTICATION_FAILED')
    assert.match(
      checked.stderr,
      /orders: suspended since .*: the server does not accept user and password \(.* 1 log-in failed/,
    )
    await runCli(['drain', '--config', config, local], PASSWORD)

    const again = await runCli(['check', '--config', config, local, '--json'], PASSWORD)
    assert.ok(jsonLines(again.stdout).every((line) => line.suspended === undefined))
    const events = jsonLines(
      (await runCli(['events', 'receive', '--config', config, local, '--json'])).stdout,
    )
    assert.deepEqual(events.map(({ type }) => type).toSorted(), [
      'mailsluice.mailbox.resumed.v1',
      'mailsluice.mailbox.suspended.v1',
      'mailsluice.message.archived.v1',
    ])
  })

  test('ends within ten seconds, in good order, though its server answers neither the relay nor the drain that it has asked for', async (context) => {
    const server = await startIdleServer()
    closing.push(() => server.close())
    const config = folder.config('silent.yaml', mailboxOn(server, { idle: true }))
    const relay = start(['--config', config, folder.local('silent')])
    await relay.until('stdout', /orders: watching INBOX/)
    await server.whenIdling(1)
    server.deliver('testuser')
    server.misbehave = { frozen: true }
    while (server.connections() < 2) await new Promise((resolve) => setTimeout(resolve, 20))

    // As `docker stop` does.
    const killing = setTimeout(() => relay.child.kill('SIGKILL'), 10_000)
    context.after(() => clearTimeout(killing))
    relay.child.kill('SIGTERM')
    const { status, stdout } = await relay.ended

    assert.equal(status, 0)
    assert.match(stdout, /orders: .*CONNECTION_FAILED/)
  })

  test('answers for its health on loopback', async () => {
    const server = await serve()
    const config = folder.config('health.yaml', mailboxOn(server, { idle: true, every: '1s' }))
    const relay = start(['--config', config, folder.local('health'), '--health', '0'])

    await relay.until('stdout', /asking after INBOX/)
    const [, url = ''] = /Health: (\S+)/.exec(relay.stderr()) ?? []
    const health = (await (await fetch(url)).json()) as { ok: boolean; polling: number }

    assert.deepEqual([health.ok, health.polling], [true, 1])
  })

  test('asks the drain function by its queue when it is told to, once for each news, and drains nothing itself', async () => {
    const server = await serve({ messages: [mail(1)] })
    const queues = await openLocalQueues({
      folder: join(folder.path, 'requests'),
      queues: { requests: 'drain-requests.fifo' },
    })
    closing.push(() => queues.close())
    const { url } = await queues.check('requests')
    const config = folder.config('queue.yaml', mailboxOn(server, { idle: true, every: '1s' }))
    const relay = start(['--config', config, folder.local('queue'), '--drain-queue', url], {
      AWS_ENDPOINT_URL_SQS: (queues as unknown as { endpoint: string }).endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    })

    await relay.until('stdout', /orders: drain asked for/)
    server.append('INBOX', mail(2))
    await relay.until('stdout', /drain asked for.*\n(.*\n)*.*drain asked for/)
    relay.child.kill('SIGTERM')
    const { status, stdout } = await relay.ended

    assert.equal(status, 0)
    assert.ok(!stdout.includes('archived'))
    const bodies: string[] = []
    // One group: the second comes when the first is removed.
    for (let number = 0; number < 2; number++)
      for (const { body, remove } of await queues.receive('requests', {
        waitSeconds: 5,
        visibilitySeconds: 30,
      })) {
        bodies.push(body)
        await remove()
      }
    assert.deepEqual(
      bodies.map(parseDrainRequest),
      new Array(2).fill({ v: 1, mailbox: 'orders', reason: 'idle' }),
    )
  })

  test('does not begin with a port that is none', async () => {
    const server = await serve()
    const config = folder.config('port.yaml', mailboxOn(server, { idle: true }))

    const { status, stderr } = await runCli([
      'relay',
      '--config',
      config,
      folder.local('port'),
      '--health',
      'x',
    ])

    assert.equal(status, 2)
    assert.match(stderr, /Expected a port/)
  })
})
