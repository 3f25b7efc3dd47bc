import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Bundle, bundleRelay } from '../../functions/bundle.ts'
import { runRelay } from '../../functions/relay/run.ts'
import { readIdleRelayEnvironment } from '../../shared/contract/environment.ts'
import { FUNCTIONS } from '../../shared/contract/functions.ts'
import type { IdleRelayEnvironment } from '../../shared/contract/idle-relay.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import { shardOf } from '../../shared/relay/shard.ts'
import { type IdleServer, startIdleServer } from '../support/idle-server.ts'
import { mailboxSettings } from '../support/lambda-scene.ts'
import { LambdaWorld } from '../support/lambda-world.ts'
import { openScriptedBuckets } from '../support/scripted-buckets.ts'

// The relay as it is deployed: its bundle in a process, with S3, SQS and Parameter Store on this machine; and the same in this process
// where a minute would be too long.

const SECRET = 'hunter2-of-the-mailbox'

describe('the relay in AWS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-relay-'))
  const closing: (() => unknown)[] = []
  let bundle: Bundle
  let world: LambdaWorld
  let environment: Record<string, string>
  before(async () => {
    bundle = await bundleRelay(folder)
    const s3 = await openScriptedBuckets()
    world = await LambdaWorld.open({ s3, bundles: NO_FUNCTION, parameters: { '/mailsluice/test': SECRET } })
    closing.push(
      () => s3.close(),
      () => world.close(),
    )
    environment = {
      ...({
        DEPLOYMENT: 'mailsluice',
        STATE_BUCKET: s3.stateBucket,
        ARCHIVE_BUCKET: s3.archiveBucket,
        DRAIN_QUEUE_URL: world.drainRequests.url,
        SHARD_INDEX: '0',
        SHARD_COUNT: '1',
        HEALTH_PORT: '0',
        HEARTBEAT_FILE: join(folder, 'alive'),
      } satisfies IdleRelayEnvironment),
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ENDPOINT_URL_SQS: world.sqs.endpoint,
      AWS_ENDPOINT_URL_SSM: world.parameters.endpoint,
    }
    // What the SDK reads of this process.
    Object.assign(process.env, environment)
  })
  after(async () => {
    for (const close of closing.reverse()) await close()
    for (const name of Object.keys(environment)) delete process.env[name]
    rmSync(folder, { recursive: true })
  })
  async function serve(): Promise<IdleServer> {
    const server = await startIdleServer()
    closing.push(() => server.close())
    return server
  }
  /** Entries of requests for drains since the last look. */
  let looked = 0
  function requested(): { readonly group: string; readonly id: string; readonly body: string }[] {
    const entries = world.sqs.requests.slice(looked).flatMap(({ action, input }) => {
      if (action !== 'SendMessageBatch' || input.QueueUrl !== world.drainRequests.url) return []
      return (input.Entries as Record<string, string>[]).map((entry) => ({
        group: entry.MessageGroupId ?? '',
        id: entry.MessageDeduplicationId ?? '',
        body: entry.MessageBody ?? '',
      }))
    })
    looked = world.sqs.requests.length
    return entries
  }

  async function whenRequested(count: number): Promise<ReturnType<typeof requested>> {
    const entries: ReturnType<typeof requested> = []
    while (entries.length < count) {
      entries.push(...requested())
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return entries
  }

  function start(more: Record<string, string> = {}): {
    child: ChildProcess
    output: () => string
    ended: Promise<number | null>
  } {
    const child = spawn(process.execPath, [join(bundle.folder, 'index.mjs')], {
      cwd: bundle.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment, ...more },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    closing.push(() => child.kill('SIGKILL'))
    return { child, output: () => output, ended }
  }

  test('asks for a drain of the mailbox when mail comes, each time by an id of its own; signs out on SIGTERM and ends', async () => {
    const server = await serve()
    const idle = mailboxSettings('watched', server.port, { idle: true })
    await world.apply([idle, mailboxSettings('scheduled', server.port)])
    const relay = start()
    await server.whenIdling(1)

    const [first] = await whenRequested(1)
    server.deliver('testuser')
    const [second] = await whenRequested(1)
    server.deliver('testuser')
    const [third] = await whenRequested(1)
    relay.child.kill('SIGTERM')
    const status = await relay.ended

    assert.equal(status, 0, relay.output())
    assert.equal(server.commands.at(-1), 'LOGOUT')
    const requests = [first, second, third]
    assert.ok(requests.every((request) => request?.group === 'watched'))
    // An id is remembered for five minutes: an equal one would swallow the wake-up.
    assert.equal(new Set(requests.map((request) => request?.id)).size, 3)
    assert.deepEqual(JSON.parse(second?.body ?? ''), { v: 1, mailbox: 'watched', reason: 'idle' })
    assert.equal(server.logIns().length, 1)
    assert.ok(!relay.output().includes(SECRET))
    assert.match(relay.output(), /ended in good order/)
  })

  test('has a container that is told of its end, and runs as nobody in particular', () => {
    const dockerfile = readFileSync(join(bundle.folder, 'Dockerfile'), 'utf8')

    assert.match(dockerfile, /^ENTRYPOINT \["node", "index.mjs"\]$/m)
    assert.match(dockerfile, /^USER node$/m)
    assert.ok(existsSync(join(bundle.folder, 'index.mjs')))
    assert.ok(bundle.inputs.some((file) => /\/imapflow\//.test(file)))
    // It is bundled on any machine and runs on arm64.
    assert.deepEqual(
      bundle.inputs.filter((file) => file.endsWith('.node')),
      [],
    )
    assert.deepEqual(
      bundle.inputs.filter((file) =>
        /fauxqs|sqlite|shared\/parser|shared\/(archive|state)\/file|queue\/local/.test(file),
      ),
      [],
    )
  })

  test('without its environment ends at once, and names every variable', async () => {
    const relay = start({ STATE_BUCKET: '', SHARD_INDEX: '1' })

    assert.notEqual(await relay.ended, 0)
    assert.match(relay.output(), /STATE_BUCKET: empty/)
    assert.match(relay.output(), /SHARD_INDEX: 1 is not a whole number from 0 to 0/)
  })

  /** In this process, with short intervals. */
  async function run(more: Partial<Record<keyof IdleRelayEnvironment, string>> = {}) {
    const heartbeatFile = join(folder, `alive-${closing.length}`)
    const stopping = new AbortController()
    const running = runRelay(
      readIdleRelayEnvironment({ ...environment, HEARTBEAT_FILE: heartbeatFile, ...more }),
      environment,
      stopping.signal,
      { configuration: 50, metrics: 50, heartbeat: 50 },
    )
    running.catch(() => undefined)
    const stop = async (): Promise<void> => {
      stopping.abort()
      await running
    }
    closing.push(stop)
    return { heartbeatFile, running, stop }
  }

  test('follows the configuration that is applied, and keeps the one before when it cannot be read', async () => {
    const server = await serve()
    const settings = (id: string) => mailboxSettings(id, server.port, { idle: true, user: id })
    await world.apply([settings('first')])
    const relay = await run()
    await server.whenIdling(1)

    await world.apply([settings('first'), settings('second')])
    await server.whenIdling(2)
    await world.state.write(MAILBOXES_KEY, Buffer.from('{"v":2}'), 'any')
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(server.idling().length, 2)
    await world.apply([settings('second')])
    await server.whenIdling(1)

    assert.deepEqual(server.idling(), [{ user: 'second', folder: 'INBOX' }])
    assert.equal(server.logIns('second').length, 1)
    await relay.stop()
  })

  test('watches its share alone', async () => {
    const server = await serve()
    const ids = Array.from({ length: 8 }, (_, number) => `shared-${number}`)
    await world.apply(ids.map((id) => mailboxSettings(id, server.port, { idle: true, user: id })))
    const share = ids.filter((id) => shardOf(mailboxId(id), 2) === 1)

    const relay = await run({ SHARD_INDEX: '1', SHARD_COUNT: '2' })
    await server.whenIdling(share.length)

    assert.deepEqual(
      server
        .idling()
        .map(({ user }) => user)
        .toSorted(),
      share,
    )
    await relay.stop()
  })

  test('shows by its heartbeat that it lives', async () => {
    const server = await serve()
    await world.apply([mailboxSettings('watched', server.port, { idle: true })])
    const relay = await run()
    await server.whenIdling(1)

    while (!existsSync(relay.heartbeatFile)) await new Promise((resolve) => setTimeout(resolve, 10))
    const first = statSync(relay.heartbeatFile).mtimeMs
    while (statSync(relay.heartbeatFile).mtimeMs === first)
      await new Promise((resolve) => setTimeout(resolve, 10))

    await relay.stop()
  })

  test('suspends a mailbox whose secret is on the machine of an operator, and asks no server', async () => {
    const server = await serve()
    await world.apply([mailboxSettings('odd', server.port, { idle: true, credential: 'env:PASSWORD' })])
    const relay = await run()

    let event: { type?: string; data?: { code?: string } } = {}
    while (event.type === undefined)
      for (const { body, remove } of await world.queues.receive('default', {
        waitSeconds: 1,
        visibilitySeconds: 30,
      })) {
        event = JSON.parse(body) as typeof event
        await remove()
      }

    assert.equal(event.type, 'mailsluice.mailbox.suspended.v1')
    assert.equal(event.data?.code, 'CREDENTIAL_MISSING')
    assert.equal(server.connections(), 0)
    await relay.stop()
  })
})

/** The functions are not started: only what is around them is of use here. */
const NO_FUNCTION: readonly Bundle[] = Object.keys(FUNCTIONS).map((name) => ({
  name,
  folder: tmpdir(),
  octets: 0,
  inputs: [],
}))
