import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { SqsRecord } from '../../functions/lambda/events.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { encodeDrainRequest } from '../../shared/contract/messages.ts'
import { LambdaScene, logIns, MESSAGES, mailboxSettings, SECRET, withImap } from '../support/lambda-scene.ts'
import { freePorts } from '../support/mail-server.ts'
import { startPop3Server } from '../support/pop3-server.ts'

// What becomes of a tick, and of a request for a drain.

let scene: LambdaScene
before(async () => {
  scene = await LambdaScene.open()
})
after(() => scene.close())

describe('a tick', () => {
  const requested = () =>
    scene.world.sqs.requests.filter(({ action }) => action === 'SendMessageBatch').length

  test('before anything is applied asks for nothing, and says what to do', async () => {
    await scene.tick()

    assert.equal(requested(), 0)
    const { records } = scene.world.functions['schedule-drains']
    assert.ok(
      records.some(({ level, message }) => level === 'WARN' && /mailsluice apply/.test(String(message))),
    )
  })

  test('picks the mailboxes of the minute for which it was scheduled, also when it comes late or twice', async () => {
    await scene.world.apply([mailboxSettings('every-five', 1, { every: '5m' })])
    const schedule = scene.world.functions['schedule-drains']
    const due: number[] = []
    for (const minute of [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]) {
      const before = requested()
      const scheduledAt = new Date(Date.UTC(2026, 2, 1, 12, minute)).toISOString()
      assert.ok((await schedule.invoke({ v: 1, scheduledAt })).ok)
      if (requested() > before) due.push(minute)
    }

    const [minute = -1] = due
    assert.deepEqual(due, [minute, minute])
    await scene.world.settle()
  })
})

function record(id: string, messageId: string, sentAtMs: number = Date.now()): SqsRecord {
  return {
    messageId,
    receiptHandle: messageId,
    body: encodeDrainRequest({ v: 1, mailbox: mailboxId(id), reason: 'operator' }),
    attributes: { ApproximateReceiveCount: '1', SentTimestamp: String(sentAtMs), MessageGroupId: id },
  }
}

describe('a request for a drain', () => {
  test('whose session fails comes back, soon and then later', async () => {
    const [port = 0] = await freePorts(1)
    await scene.world.apply([mailboxSettings('down', port)])
    await scene.request('down')
    const pauses = () =>
      scene.world.sqs.requests
        .filter(({ action, input }) => action === 'ChangeMessageVisibility' && input.VisibilityTimeout !== 0)
        .map(({ input }) => input.VisibilityTimeout)

    const first = await scene.deliver()
    assert.ok(first.invocation.ok)
    assert.equal(first.left.length, 1)
    assert.equal(scene.drainsOf('down').at(-1)?.level, 'WARN')
    await scene.world.drainRequests.timePasses(first)
    const second = await scene.deliver()

    assert.deepEqual(pauses(), [60, 240])
    await scene.world.drainRequests.timePasses(second)
    await scene.applyNone()
    await scene.deliverWell()
  })

  test('for a mailbox that is not configured any more is done', async () => {
    await scene.applyNone()
    await scene.request('removed')

    await scene.deliverWell()

    const lines = scene.world.functions['drain-mailbox'].records.filter(
      ({ mailbox }) => mailbox === 'removed',
    )
    assert.deepEqual(
      lines.map(({ level, message }) => [level, message]),
      [['INFO', 'mailbox is not configured']],
    )
  })

  test('that is none fails, and stays for the dead letters', async () => {
    await scene.request('x', '{"v":1,"mailbox":"../x","reason":"operator"}')

    const { invocation, left } = await scene.deliver()

    assert.equal(invocation.ok ? '' : invocation.errorType, 'ZodError')
    assert.equal(left.length, 1)
  })

  test('that was sent before a drain began is answered by that, when it came to its end', async () => {
    await withImap(async (imap) => {
      await scene.world.apply([mailboxSettings('asked-twice', imap.port)])
      const earlier = record('asked-twice', 'earlier', Date.now() - 60_000)
      await scene.request('asked-twice')
      await scene.deliverWell()
      const before = logIns(imap)

      const invocation = await scene.world.functions['drain-mailbox'].invoke({ Records: [earlier] })
      assert.deepEqual(invocation, { ok: true, result: { batchItemFailures: [] } })
      assert.equal(logIns(imap), before)

      await scene.request('asked-twice')
      await scene.deliverWell()
      assert.equal(logIns(imap), before + 1)
    })
  })
})

describe('a batch of requests', () => {
  test('keeps the order of a group whose first request fails, and goes on with the others', async () => {
    const pop3 = await startPop3Server({
      password: SECRET,
      messages: [{ uidl: 'a', octets: MESSAGES[0] as Buffer }],
    })
    const [closed = 0] = await freePorts(1)
    try {
      await scene.world.apply([
        mailboxSettings('batch-down', closed),
        mailboxSettings('batch-up', pop3.port, { protocol: 'pop3' }),
      ])

      const Records = [record('batch-down', '1'), record('batch-up', '2'), record('batch-down', '3')]
      const invocation = await scene.world.functions['drain-mailbox'].invoke({ Records })

      assert.deepEqual(invocation, {
        ok: true,
        result: { batchItemFailures: [{ itemIdentifier: '1' }, { itemIdentifier: '3' }] },
      })
      assert.equal(scene.drainsOf('batch-down').length, 1)
      await scene.assertIngested('batch-up', MESSAGES.slice(0, 1))
    } finally {
      await pop3.close()
    }
  })

  test('leaves to the next invocation what it has no time for', async () => {
    await withImap(async (imap) => {
      await scene.world.apply([mailboxSettings('no-time', imap.port)])
      const before = logIns(imap)

      const invocation = await scene.world.functions['drain-mailbox'].invoke(
        { Records: [record('no-time', '1')] },
        16_000,
      )

      assert.deepEqual(invocation, { ok: true, result: { batchItemFailures: [{ itemIdentifier: '1' }] } })
      assert.equal(logIns(imap), before)
    })
  })
})

describe('the applied configuration', () => {
  test('counts at the next invocation', async () => {
    await withImap(async (imap) => {
      await scene.applyNone()
      await scene.request('added')
      await scene.deliver()
      await scene.world.apply([mailboxSettings('added', imap.port)])
      await scene.request('added')

      await scene.deliverWell()

      await scene.assertIngested('added')
    })
  })

  test('of another archive is refused, for two archives would have every message twice', async () => {
    await scene.world.apply([mailboxSettings('elsewhere', 1)], { archive: { bucket: 'another-archive' } })
    await scene.request('elsewhere')

    const failed = await scene.deliver()

    assert.match(failed.invocation.ok ? '' : failed.invocation.errorMessage, /another-archive.*mail-archive/)
    await scene.applyNone()
    await scene.world.drainRequests.timePasses(failed)
    await scene.deliverWell()
  })
})
