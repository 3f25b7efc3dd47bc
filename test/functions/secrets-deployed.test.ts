import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bundleRelay } from '../../functions/bundle.ts'
import type { IdleRelayEnvironment } from '../../shared/contract/idle-relay.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { encodeDrainRequest } from '../../shared/contract/messages.ts'
import { assertDone, codeOf } from '../support/lambda-scene.ts'
import { bundleForTest, LambdaWorld } from '../support/lambda-world.ts'
import { type MarkedServers, REFUSED, SECRETS, startMarkedServers } from '../support/marked-secrets.ts'
import { type ScriptedS3, startScriptedS3 } from '../support/scripted-s3.ts'

// The same marked secrets as in secrets.test.ts, through the functions and the relay as they are deployed: their logs, what they send to queues,
// and what they store are searched.

const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'Marked-secret-of-the-role-4714' }

interface MailboxSettings {
  readonly id: string
  readonly protocol: string
}

describe('marked secrets, through what is deployed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-secrets-'))
  const closing: (() => unknown)[] = []
  let servers: MarkedServers
  let s3: ScriptedS3
  let world: LambdaWorld
  let mailboxes: readonly MailboxSettings[]
  before(async () => {
    servers = await startMarkedServers()
    s3 = await startScriptedS3({
      'mail-archive': { versioning: 'Enabled', objectLock: { mode: 'GOVERNANCE', days: 1 } },
      'mail-state': {},
      'mail-derived': {},
    })
    const { bundles, remove } = await bundleForTest()
    const buckets = {
      archiveBucket: 'mail-archive',
      stateBucket: 'mail-state',
      derivedBucket: 'mail-derived',
    }
    world = await LambdaWorld.open({
      s3: { endpoint: s3.endpoint, region: 'eu-central-1', credentials: CREDENTIALS, ...buckets },
      bundles,
      parameters: Object.fromEntries(
        Object.entries(SECRETS).map(([name, secret]) => [`/mailsluice/${name}`, secret]),
      ),
    })
    closing.push(
      remove,
      servers.close,
      () => s3.close(),
      () => world.close(),
    )
    mailboxes = servers
      .mailboxes((secret) => `ssm:/mailsluice/${secret}`)
      .map((mailbox) => ({ ...(mailbox as MailboxSettings), every: '1m' }))
  })
  after(async () => {
    for (const close of closing.reverse()) await close()
    rmSync(folder, { recursive: true })
  })

  test('the drain meets each refusal, and its log has no secret', async () => {
    await world.apply(mailboxes)
    for (const { id } of mailboxes) {
      const body = encodeDrainRequest({ v: 1, mailbox: mailboxId(id), reason: 'operator' })
      await world.drainRequests.send(body, id, `operator-${id}`)
      const delivery = await world.deliverDrain()
      assert.ok(delivery)
      assertDone(delivery)
    }

    for (const [id, code] of Object.entries(REFUSED))
      assert.equal(codeOf(world.drains.find(({ mailbox }) => mailbox === id)), code)
    assert.ok(servers.accessTokens.length > 0)
    servers.assertWithoutSecrets(
      world.functions['drain-mailbox'].lines.join('\n'),
      'the log of drain-mailbox',
    )
  })

  test('so do schedule and probe', async () => {
    await world.apply(mailboxes.map((mailbox) => ({ ...mailbox, id: `probed-${mailbox.id}` })))
    await world.tick(new Date(Date.UTC(2026, 2, 1)))

    const { records, lines } = world.functions['probe-mailboxes']
    for (const [id, code] of Object.entries(REFUSED))
      assert.ok(
        records.some((record) => record.mailbox === `probed-${id}` && codeOf(record) === code),
        id,
      )
    servers.assertWithoutSecrets(lines.join('\n'), 'the log of probe-mailboxes')
    servers.assertWithoutSecrets(
      world.functions['schedule-drains'].lines.join('\n'),
      'the log of the schedule',
    )
  })

  test('so does the relay', async () => {
    const watched = mailboxes.filter(({ protocol }) => protocol === 'imap')
    await world.apply(watched.map((mailbox) => ({ ...mailbox, id: `watched-${mailbox.id}`, idle: true })))
    const { folder: code } = await bundleRelay(folder)
    const relay = spawn(process.execPath, [join(code, 'index.mjs')], {
      cwd: code,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...({
          DEPLOYMENT: 'mailsluice',
          STATE_BUCKET: 'mail-state',
          ARCHIVE_BUCKET: 'mail-archive',
          DRAIN_QUEUE_URL: world.drainRequests.url,
          SHARD_INDEX: '0',
          SHARD_COUNT: '1',
          HEALTH_PORT: '0',
          HEARTBEAT_FILE: join(folder, 'alive'),
        } satisfies IdleRelayEnvironment),
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_ENDPOINT_URL_S3: s3.endpoint,
        AWS_ENDPOINT_URL_SQS: world.sqs.endpoint,
        AWS_ENDPOINT_URL_SSM: world.parameters.endpoint,
      },
    })
    closing.push(() => relay.kill('SIGKILL'))
    let log = ''
    const ended = new Promise((resolve) => relay.once('close', resolve))
    const suspended = Promise.withResolvers<void>()
    for (const stream of [relay.stdout, relay.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text
        if (['watched-imap', 'watched-bearer-imap'].every((id) => suspends(log, id))) suspended.resolve()
      })
    await Promise.race([suspended.promise, ended])
    relay.kill('SIGTERM')
    await ended

    assert.ok(suspends(log, 'watched-bearer-imap'), log)
    servers.assertWithoutSecrets(log, 'the log of the relay')
  })

  test('and nothing that was stored or sent has one', async () => {
    const events = world.sqs.requests.filter(({ action }) => action === 'SendMessageBatch')
    assert.ok(events.some(({ input }) => JSON.stringify(input).includes('mailbox.suspended')))
    servers.assertWithoutSecrets(JSON.stringify(world.sqs.requests), 'what was sent to SQS')
    for (const [name, { objects }] of s3.buckets)
      for (const [key, { content, headers }] of objects)
        servers.assertWithoutSecrets(
          `${key}\n${JSON.stringify(headers)}\n${content.toString('latin1')}`,
          `${name}/${key}`,
        )
    const keys = [...(s3.buckets.get('mail-state')?.objects.keys() ?? [])]
    assert.ok(keys.some((key) => key.startsWith('suspensions/')))
  })
})

function suspends(log: string, mailbox: string): boolean {
  return log
    .split('\n')
    .some((line) => line.includes('"suspended"') && line.includes(`"mailbox":"${mailbox}"`))
}
