import assert from 'node:assert/strict'
import { devNull } from 'node:os'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorCode } from '../../shared/errors.ts'
import { QUEUE } from '../../shared/limits.ts'
import type { SqsOptions } from '../../shared/queue/sqs.ts'
import { isCode } from '../contract/archive.ts'
import type { Fault } from '../support/scripted-sqs.ts'
import { assertSent, batches, idsIn, numbered, withFaults } from '../support/sqs-faults.ts'

// What happens to events when SQS or the way to it fails.

const THROTTLED: Fault = { status: 400, code: 'RequestThrottled' }

describe('a request', () => {
  for (const [what, fault] of Object.entries<Fault>({
    'answered 503': { status: 503, code: 'ServiceUnavailable' },
    'answered 503 with a page of a proxy': {
      status: 503,
      code: '',
      page: '<html>Service Unavailable</html>',
    },
    'answered 500': { status: 500, code: 'InternalFailure' },
    throttled: THROTTLED,
    'throttled with 403': { status: 403, code: 'ThrottlingException' },
    'cut off': 'break',
    stalled: 'stall',
  }))
    test(`that is ${what} is repeated, and each event sent once`, async () => {
      const { sqs, queues, batches: sent } = await withFaults(batches(1, fault), { requestMs: 300 })

      assertSent(await queues.send('default', numbered(3)), 3)

      assert.equal(sent().length, 2)
      assert.equal(idsIn(sqs, 'events').length, 3)
    })

  test('whose answer got lost is repeated: a standard queue may hold an event twice, a FIFO queue once', async () => {
    const { sqs, queues } = await withFaults(({ operation }, nth) =>
      operation === 'SendMessageBatch' && nth % 2 === 1 ? 'lose the answer' : undefined,
    )

    assertSent(await queues.send('default', numbered(1)), 1)
    assertSent(await queues.send('orders', numbered(1)), 1)

    assert.deepEqual(idsIn(sqs, 'events'), ['invoices/0', 'invoices/0'])
    assert.deepEqual(idsIn(sqs, 'events.fifo'), ['invoices/0'])
  })

  for (const [what, fault] of Object.entries<Fault>({
    'is answered 503': { status: 503, code: 'ServiceUnavailable' },
    'is throttled': THROTTLED,
    'is cut off': 'break',
    'gets an answer that is none': { status: 200, code: '', page: '<html>Log in to this network</html>' },
  }))
    test(`that ${what} again and again leaves each event refused, with the reason, and rejects nothing`, async () => {
      const { queues, batches: sent } = await withFaults(batches(99, fault))

      const results = await queues.send('default', numbered(12))

      assert.equal(results.length, 12)
      for (const result of results) assert.match(JSON.stringify(result), /"refused":"queue default: .+"/)
      assert.ok(sent().length <= 2 * QUEUE.attempts, `${sent().length} requests`)
    })

  test('for the URL of the queue that fails leaves each event refused, and is made anew for the next', async () => {
    const { queues } = await withFaults(({ operation }, nth) =>
      operation === 'GetQueueUrl' && nth <= QUEUE.attempts
        ? { status: 503, code: 'ServiceUnavailable' }
        : undefined,
    )

    for (const result of await queues.send('default', numbered(2))) assert.equal(result.sent, false)

    assertSent(await queues.send('default', numbered(2)), 2)
  })

  for (const [answer, code] of Object.entries<ErrorCode>({
    '400 QueueDoesNotExist': 'QUEUE_MISSING',
    '400 AWS.SimpleQueueService.NonExistentQueue': 'QUEUE_MISSING',
    '400 InvalidAddress': 'QUEUE_MISSING',
    '403 AccessDenied': 'QUEUE_DENIED',
    '403 AccessDeniedException': 'QUEUE_DENIED',
    '403 InvalidClientTokenId': 'QUEUE_DENIED',
    '403 UnrecognizedClientException': 'QUEUE_DENIED',
    '403 SignatureDoesNotMatch': 'QUEUE_DENIED',
    '403 InvalidSecurity': 'QUEUE_DENIED',
    '403 ExpiredToken': 'QUEUE_DENIED',
    '400 KmsAccessDenied': 'QUEUE_DENIED',
    '400 KMS.DisabledException': 'QUEUE_DENIED',
  }))
    test(`answered ${answer} rejects with ${code}, names the queue, and is not repeated`, async () => {
      const [status = 0, name = ''] = answer.split(' ')
      const { queues, batches: sent } = await withFaults(batches(99, { status: Number(status), code: name }))

      const failure = await queues.send('default', numbered(3)).catch((error: unknown) => error)

      assert.ok(isCode(code)(failure), String(failure))
      assert.match(String(failure), /queue default: .*as scripted/)
      assert.equal(sent().length, 1)
    })

  test('that is denied rejects when nothing is under way any more', async () => {
    const { queues, batches: sent } = await withFaults(batches(1, { status: 403, code: 'AccessDenied' }))

    await assert.rejects(queues.send('default', numbered(100)), isCode('QUEUE_DENIED'))

    const before = sent().length
    await sleep(200)
    assert.equal(sent().length, before)
  })

  test('to a FIFO queue that is denied does not keep the next send from trying', async () => {
    const { queues } = await withFaults(batches(1, { status: 403, code: 'AccessDenied' }))
    const [first, second] = [queues.send('orders', numbered(1)), queues.send('orders', numbered(1))]

    await assert.rejects(first, isCode('QUEUE_DENIED'))

    assertSent(await second, 1)
  })

  test('of a queue that is configured and not there is QUEUE_MISSING, until it is made', async () => {
    const { sqs, queues } = await withFaults(() => undefined)
    await assert.rejects(queues.send('missing', numbered(1)), isCode('QUEUE_MISSING'))

    ;(sqs.queues as Map<string, unknown[]>).set('there-is-none', [])

    assertSent(await queues.send('missing', numbered(1)), 1)
  })

  test('to an address that is none is QUEUE_MISSING', async () => {
    const { queues } = await withFaults(() => undefined, { queues: { default: 'not a queue' } })

    await assert.rejects(queues.send('default', numbered(1)), isCode('QUEUE_MISSING'))
  })

  test('to where nobody listens leaves events refused, and a read rejects', async () => {
    const { sqs, queues } = await withFaults(() => undefined)
    await sqs.close()

    const [result] = await queues.send('default', numbered(1))

    assert.match(JSON.stringify(result), /ECONNREFUSED/)
    await assert.rejects(queues.check('default'), isCode('QUEUE_UNAVAILABLE'))
    await assert.rejects(
      queues.receive('default', { waitSeconds: 0, visibilitySeconds: 1 }),
      isCode('QUEUE_UNAVAILABLE'),
    )
  })

  test('without a region, or without credentials, says so', async () => {
    forgetSettingsOfAws()
    for (const [forgotten, code] of [
      [{ region: undefined }, 'QUEUE_MISSING'],
      [{ credentials: undefined }, 'QUEUE_DENIED'],
    ] satisfies [Partial<SqsOptions>, ErrorCode][]) {
      const { queues } = await withFaults(() => undefined, forgotten)
      await assert.rejects(queues.send('default', numbered(1)), isCode(code))
    }
  })
})

describe('a read', () => {
  test('asks for the receive count, and tells it', async () => {
    const { sqs, queues } = await withFaults(() => undefined)
    await queues.send('default', numbered(1))

    const [received] = await queues.receive('default', { waitSeconds: 2, visibilitySeconds: 7, maxEvents: 4 })

    assert.equal(received?.receiveCount, 3)
    const body = sqs.requests.at(-1)?.body ?? {}
    assert.deepEqual(
      [
        body.MaxNumberOfMessages,
        body.WaitTimeSeconds,
        body.VisibilityTimeout,
        body.MessageSystemAttributeNames,
      ],
      [4, 2, 7, ['ApproximateReceiveCount']],
    )
    await received.remove()
    assert.deepEqual(idsIn(sqs, 'events'), [])
  })

  for (const code of ['ReceiptHandleIsInvalid', 'InvalidParameterValue'])
    test(`of an event that is removed too late, or twice, does not fail: ${code}`, async () => {
      const { queues } = await withFaults(({ operation }) =>
        operation === 'DeleteMessage' ? { status: 400, code } : undefined,
      )
      await queues.send('default', numbered(1))
      const [received] = await queues.receive('default', { waitSeconds: 0, visibilitySeconds: 1 })
      assert.ok(received)

      await received.remove()
    })

  test('of an event that may not be removed is QUEUE_DENIED', async () => {
    const { queues } = await withFaults(({ operation }) =>
      operation === 'DeleteMessage' ? { status: 403, code: 'AccessDenied' } : undefined,
    )
    await queues.send('default', numbered(1))
    const [received] = await queues.receive('default', { waitSeconds: 0, visibilitySeconds: 1 })

    await assert.rejects(received?.remove() ?? assert.fail('nothing received'), isCode('QUEUE_DENIED'))
  })

  test('that is answered 503 is repeated, and may take as long as it was to wait', async () => {
    const { queues } = await withFaults(
      ({ operation }, nth) =>
        operation !== 'ReceiveMessage'
          ? undefined
          : nth === 1
            ? { status: 503, code: 'ServiceUnavailable' }
            : { after: sleep(500) },
      { requestMs: 250 },
    )

    assert.deepEqual(await queues.receive('default', { waitSeconds: 20, visibilitySeconds: 1 }), [])
  })
})

test('queues that are closed leave no connection open', async () => {
  const { sqs, queues } = await withFaults(() => undefined)
  await queues.send('default', numbered(100))
  assert.ok((await sqs.connections()) > 0)

  queues.close()

  while ((await sqs.connections()) > 0) await sleep(10)
})

/** What the SDK would find by itself on the machine that runs the test. */
function forgetSettingsOfAws(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  process.env.AWS_CONFIG_FILE = process.env.AWS_SHARED_CREDENTIALS_FILE = devNull
  process.env.AWS_EC2_METADATA_DISABLED = 'true'
}
