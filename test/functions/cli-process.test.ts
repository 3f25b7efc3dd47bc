import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Event } from '../../shared/contract/event.ts'
import { CliFolder, jsonLines, mailboxOn, runCli, startCli } from '../support/cli.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { multiline, startPop3Server } from '../support/pop3-server.ts'
import { sampleMessages } from '../support/sample-messages.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SAMPLES = sampleMessages()
const ENVIRONMENT = { PASSWORD: 'testpass' }
/** More than are asked for ahead (POP3.pipelineCommands). */
const MANY = Array.from({ length: 700 }, (_, number) => ({
  uidl: `u${number}`,
  octets: Buffer.from(`From: a@example.net\r\nSubject: message ${number}\r\n\r\nText of ${number}.\r\n`),
}))

const folder = new CliFolder()
let imap: ImapServer
let config: string

before(async () => {
  imap = await startImapServer({ messages: SAMPLES.map(({ octets }) => ({ raw: octets })) })
  config = folder.config('mailsluice.yaml', mailboxOn(imap))
})

after(async () => {
  await imap.close()
  folder.remove()
})

const start = (...arguments_: string[]) => startCli(arguments_, ENVIRONMENT)

test('npx mailsluice works from a checkout', async () => {
  const child = spawn('npx', ['mailsluice', '--help'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const shown = await text(child.stdout)
  assert.deepEqual(await ended, [0, null])
  for (const command of ['check', 'drain', 'events', 'archive', 'ledger', 'apply'])
    assert.match(shown, new RegExp(`^ {2}${command} `, 'm'))
})

test('what is piped has no control codes, and stdout holds results alone', async () => {
  const { status, stdout, stderr } = await start('drain', '--config', config, folder.local('piped')).ended
  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /^orders: 13 archived and announced \(13 on the server, [\d.]+ kB in [\d.]+ s\)\n$/)
})

test('a reader that has seen enough is no error', async () => {
  const arguments_ = ['--config', config, folder.local('piped')]
  await start('drain', ...arguments_).ended
  const shown = start('ledger', 'show', ...arguments_)
  shown.child.stdout?.destroy()
  const { status, stderr } = await shown.ended
  assert.deepEqual([status, stderr], [0, ''])
})

test('the secret is in no output, also with --debug', async () => {
  const { stdout, stderr } = await start('drain', '--debug', '--config', config, folder.local('debug')).ended
  assert.match(stderr, /^orders C: .*SELECT/m)
  assert.doesNotMatch(stdout + stderr, /testpass|dGVzdHBhc3M/)
})

describe('events serve', () => {
  test('gives a consumer with an SDK of its own what a drain beside it announces', async () => {
    const server = start('events', 'serve', '--json', '--config', config, folder.local('served'))
    await server.until('stdout', /\n/)
    const [{ endpoint, queues }] = jsonLines(server.stdout()) as unknown as [
      { endpoint: string; queues: Record<string, string> },
    ]
    const drained = await start('drain', '--config', config, folder.local('served')).ended
    assert.equal(drained.status, 0, drained.stderr)

    // As an SDK does by default, it asks the host in the queue's own URL.
    const client = new SQSClient({
      endpoint,
      useQueueUrlAsEndpoint: true,
      region: 'us-east-1',
      credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
    })
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: queues.default, MaxNumberOfMessages: 10 }),
    )
    assert.equal((JSON.parse(Messages[0]?.Body ?? '') as Event).source, 'mailsluice/orders')
    client.destroy()

    server.child.kill('SIGTERM')
    const { status, signal } = await server.ended
    assert.deepEqual([status, signal], [0, null])
  })
})

describe('a drain that is interrupted', () => {
  /** A maildrop that sends a message each millisecond, and none after `most` of them until it is told to go on. */
  async function slowMaildrop(most: number) {
    let held: () => void = () => {}
    const heldBack = new Promise<void>((resolve) => {
      held = resolve
    })
    let goOn: () => void = () => {}
    const resumed = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let answered: Promise<unknown> = Promise.resolve()
    let sent = 0
    const server = await startPop3Server({
      messages: MANY,
      answer(line, client) {
        const number = Number(/^RETR (\d+)$/.exec(line)?.[1])
        const message = MANY[number - 1]
        if (!message) return undefined
        answered = answered.then(async () => {
          if (sent === most) {
            held()
            await resumed
          }
          sent++
          await sleep(sent < most ? 1 : 0)
          client.write(multiline(message.octets))
        })
        return ''
      },
    })
    const yaml = folder.config(`${most}.yaml`, mailboxOn(server, { protocol: 'pop3' }))
    return { server, heldBack, goOn, arguments_: ['--config', yaml, folder.local(`interrupted-${most}`)] }
  }

  /** Whatever was done before, the next drain ends with everything archived and announced once, or again under the same id. */
  async function assertNothingLost(arguments_: readonly string[]): Promise<void> {
    const [report] = jsonLines((await runCli(['drain', '--json', ...arguments_], ENVIRONMENT)).stdout)
    assert.deepEqual([report?.remaining, report?.error], [0, undefined])
    const [verified] = jsonLines((await runCli(['ledger', 'verify', '--json', ...arguments_])).stdout)
    assert.deepEqual(
      [verified?.ok, verified?.messages, verified?.pending, verified?.unrecorded],
      [true, MANY.length, 0, []],
    )
    const events = jsonLines(
      (await runCli(['events', 'receive', '--json', '--max', '5000', ...arguments_])).stdout,
    )
    assert.equal(new Set(events.map(({ id }) => id)).size, MANY.length)
  }

  test('by Ctrl-C ends in good order: what was asked for is recorded, the rest is left to the next', async () => {
    const { server, heldBack, goOn, arguments_ } = await slowMaildrop(100)
    const drain = start('drain', ...arguments_)
    await heldBack
    drain.child.kill('SIGINT')
    await drain.until('stderr', /ending in good order; press Ctrl-C again to end at once/)
    goOn()

    const { status, stdout } = await drain.ended
    assert.equal(status, 0)
    assert.match(
      stdout,
      /^orders: \d+ archived and announced \(700 on the server, .*\); asked to stop; \d+ remain for the next drain\n$/,
    )
    const [verified] = jsonLines((await runCli(['ledger', 'verify', '--json', ...arguments_])).stdout)
    assert.deepEqual([verified?.ok, verified?.unrecorded], [true, []])
    await assertNothingLost(arguments_)
    await server.close()
  })

  test('by Ctrl-C twice ends at once, and nothing is lost', async () => {
    const { server, heldBack, goOn, arguments_ } = await slowMaildrop(50)
    const drain = start('drain', ...arguments_)
    await heldBack
    drain.child.kill('SIGINT')
    await drain.until('stderr', /press Ctrl-C again/)
    drain.child.kill('SIGINT')

    assert.equal((await drain.ended).signal, 'SIGINT')
    goOn()
    await assertNothingLost(arguments_)
    await server.close()
  })

  test('by another drain of the same mailbox: one records each message, and both end in good order', async () => {
    const server = await startPop3Server({ messages: MANY })
    const yaml = folder.config('two.yaml', mailboxOn(server, { protocol: 'pop3' }))
    const arguments_ = ['--config', yaml, folder.local('two')]
    const drains = await Promise.all([
      start('drain', ...arguments_).ended,
      start('drain', ...arguments_).ended,
    ])
    for (const { status, stderr } of drains)
      if (status !== 0) {
        assert.equal(status, 1, stderr)
        assert.match(stderr, /LEDGER_RACE_LOST.*\n {2}Nothing: another drain of this mailbox is at work/)
      }
    await assertNothingLost(arguments_)
    await server.close()
  })
})
