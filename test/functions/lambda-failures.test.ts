import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { archivedEventId } from '../../shared/contract/event.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { LOOKED_AT } from '../../shared/contract/metrics.ts'
import {
  assertDone,
  codeOf,
  LambdaScene,
  logIns,
  MESSAGES,
  mailboxSettings,
  SECRET,
  withImap,
} from '../support/lambda-scene.ts'
import { freePorts } from '../support/mail-server.ts'
import { startPop3Server } from '../support/pop3-server.ts'
import type { ScriptedRequest } from '../support/scripted-s3.ts'
import { digestOf, takeEvents } from '../support/stores.ts'
import { startTokenServer } from '../support/token-server.ts'

// What goes wrong while the functions run: they are killed, mailboxes refuse them.

let scene: LambdaScene
before(async () => {
  scene = await LambdaScene.open()
})
after(() => scene.close())
beforeEach(() => {
  scene.fault = () => undefined
})

const expectedIds = (id: string) =>
  MESSAGES.map((octets) => archivedEventId(mailboxId(id), digestOf(octets))).sort()

describe('a function that is killed in the middle of a drain', () => {
  const isPut = (of: string, { operation, key }: ScriptedRequest) =>
    operation === 'PutObject' && key.startsWith(of)
  /** Kills the function at its nth PUT below a prefix. `stall`: before anything of it counts; `lose the answer`: once it is stored. */
  const moments = [
    ['before the first message is archived', 'raw/', 1, 'stall'],
    ['while messages are archived', 'raw/', 6, 'stall'],
    ['when a message is archived, and nobody was told', 'raw/', 12, 'lose the answer'],
    ['before what it announced is recorded', 'ledger/', 1, 'stall'],
    ['when the segment is stored, before it learns of it', 'ledger/', 1, 'lose the answer'],
  ] as const

  for (const [index, [moment, prefix, nth, kind]] of moments.entries())
    test(`${moment}: the request comes back, nothing is lost, and repeats have equal ids`, async () => {
      const id = `killed-${index}`
      await withImap(async (imap) => {
        await scene.world.apply([mailboxSettings(id, imap.port)])
        await scene.request(id)
        let puts = 0
        scene.fault = (seen) => {
          if (!isPut(prefix, seen) || ++puts !== nth) return undefined
          scene.world.functions['drain-mailbox'].kill()
          return kind
        }

        const killed = await scene.deliver()
        assert.equal(killed.invocation.ok ? '' : killed.invocation.errorType, 'Runtime.ExitError')
        assert.equal(killed.left.length, 1)
        scene.fault = () => undefined
        await scene.world.drainRequests.timePasses(killed)
        await scene.deliverWell()

        await scene.assertIngested(id)
        const events = await takeEvents(scene.world.queues)
        assert.deepEqual([...new Set(events.map((event) => event.id))].sort(), expectedIds(id))
      })
    })
})

describe('a mailbox that refuses the password', () => {
  test('is logged by name, suspended and not hammered; with a new secret it is drained', async () => {
    await withImap(async (imap) => {
      await scene.world.apply([
        mailboxSettings('refused', imap.port, { credential: 'ssm:/mailsluice/wrong' }),
      ])

      assertDone(...(await scene.tick()))

      assert.equal(scene.drainsOf('refused').length, 0)
      const probe = scene.world.functions['probe-mailboxes']
      const [line] = probe.records.filter(({ mailbox, level }) => mailbox === 'refused' && level === 'ERROR')
      assert.equal(codeOf(line), 'AUTHENTICATION_FAILED')
      const metrics = probe.records.filter((record) => 'MailboxFailures' in record)
      assert.deepEqual(
        metrics.map(({ service, code, mailbox }) => [service, code, mailbox]),
        [
          ['mailsluice', 'AUTHENTICATION_FAILED', undefined],
          ['mailsluice', 'AUTHENTICATION_FAILED', 'refused'],
        ],
      )

      const suspensions = () =>
        probe.records.filter((record) => 'MailboxSuspensions' in record).map(({ mailbox }) => mailbox)
      assert.deepEqual(suspensions(), ['refused'])

      const before = logIns(imap)
      await scene.tick()
      assert.deepEqual(suspensions(), ['refused', 'refused'], 'it lasts')
      await scene.request('refused')
      await scene.deliverWell()
      assert.equal(logIns(imap), before)
      assert.equal(scene.drainsOf('refused').at(-1)?.level, 'ERROR')

      scene.world.parameters.put('/mailsluice/wrong', SECRET)
      await scene.tick()
      await scene.assertIngested('refused')
      const types = new Set((await takeEvents(scene.world.queues)).map(({ type }) => type))
      assert.ok(types.has('mailsluice.mailbox.suspended.v1') && types.has('mailsluice.mailbox.resumed.v1'))
    })
  })

  test('or is not there does not stop the others of its group', async () => {
    const [closed = 0] = await freePorts(1)
    await withImap(async (imap) => {
      await scene.world.apply([mailboxSettings('absent', closed), mailboxSettings('present', imap.port)])

      assertDone(...(await scene.tick()))

      await scene.assertIngested('present')
      const probe = scene.world.functions['probe-mailboxes']
      const [line] = probe.records.filter(({ mailbox, level }) => mailbox === 'absent' && level === 'WARN')
      assert.equal(codeOf(line), 'CONNECTION_FAILED')
      const [probed] = probe.records.filter(({ message }) => message === 'probed').slice(-1)
      assert.deepEqual(probed?.[LOOKED_AT], ['present'])
      const suspended = probe.records.filter(
        (record) => 'MailboxSuspensions' in record && record.mailbox === 'absent',
      )
      assert.deepEqual(suspended, [])
    })
  })

  test('gets neither a secret of the role nor of the machine, whatever its credential names', async () => {
    await withImap(async (imap) => {
      await scene.world.apply([
        mailboxSettings('env', imap.port, { credential: 'env:AWS_SECRET_ACCESS_KEY' }),
        mailboxSettings('file', imap.port, { credential: 'file:/proc/self/environ' }),
      ])
      const before = logIns(imap)

      await scene.tick()
      for (const id of ['env', 'file']) {
        await scene.request(id)
        await scene.deliverWell()
        assert.equal(codeOf(scene.drainsOf(id)[0]), 'CREDENTIAL_MISSING')
      }

      assert.equal(logIns(imap), before)
    })
  })
})

describe('a client secret that runs out', () => {
  test('is told ahead: by name in the log, once, and as a metric each time', async () => {
    const tokens = await startTokenServer({ clients: { app: { secret: SECRET, user: 'testuser' } } })
    const pop3 = await startPop3Server({
      capabilities: ['UIDL', 'SASL XOAUTH2'],
      takesToken: (token) => tokens.userOf(token) === 'testuser',
    })
    const expires = new Date(Date.now() + 5.5 * 86_400_000).toISOString()
    scene.world.parameters.put('/mailsluice/expiring', JSON.stringify({ clientSecret: SECRET, expires }))
    try {
      const oauth2 = { grant: 'client-credentials', tokenUrl: tokens.url, clientId: 'app' }
      const by = { protocol: 'pop3', auth: 'oauth2', oauth2, credential: 'ssm:/mailsluice/expiring' }
      await scene.world.apply([mailboxSettings('expiring', pop3.port, by)])

      for (let ticks = 0; ticks < 2; ticks++) assertDone(...(await scene.tick()))

      const { records } = scene.world.functions['probe-mailboxes']
      const lines = records.filter(({ mailbox, level }) => mailbox === 'expiring' && level === 'WARN')
      assert.deepEqual(
        lines.map(({ what, days, within, message }) => [what, days, within, message]),
        [['client secret', 5, 7, `the client secret expires on ${expires.slice(0, 10)}, in 5 days`]],
      )
      assert.deepEqual(
        records
          .filter((record) => 'CredentialDaysLeft' in record)
          .map(({ service, mailbox, CredentialDaysLeft }) => [service, mailbox, CredentialDaysLeft]),
        [
          ['mailsluice', 'expiring', 5],
          ['mailsluice', 'expiring', 5],
        ],
      )
    } finally {
      await pop3.close()
      await tokens.close()
    }
  })
})

test('no line of any function has a secret in it', () => {
  const lines = Object.values(scene.world.functions).flatMap((each) => each.lines)
  assert.ok(lines.length > 50)
  for (const secret of [SECRET, 'wrong-password', 'test-secret-of-the-role'])
    assert.deepEqual(
      lines.filter((line) => line.includes(secret)),
      [],
    )
})
