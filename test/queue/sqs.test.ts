import assert from 'node:assert/strict'
import { devNull } from 'node:os'
import { after, describe, test } from 'node:test'
import type { ErrorCode } from '../../shared/errors.ts'
import { QUEUE } from '../../shared/limits.ts'
import type { SendResult } from '../../shared/queue/queue.ts'
import { openSqsQueues, type SqsOptions, type SqsQueues } from '../../shared/queue/sqs.ts'
import { isCode } from '../contract/archive.ts'
import { event } from '../contract/queue.ts'
import {
  type Fault,
  type ScriptedRequest,
  type ScriptedSqs,
  startScriptedSqs,
} from '../support/scripted-sqs.ts'

// What happens to events when SQS or the way to it fails. The promises themselves are held on real engines: local.test.ts, test/interop/sqs.interop.ts.

const QUEUES = { default: 'events', orders: 'events.fifo', missing: 'there-is-none' }
const THROTTLED: Fault = { status: 400, code: 'RequestThrottled' }

const running: (() => unknown)[] = []
after(() => Promise.all(running.map((close) => close())))

async function withFaults(
  fault: (request: ScriptedRequest, nth: number) => Fault | undefined,
  options: Partial<SqsOptions> = {},
): Promise<{ sqs: ScriptedSqs; queues: SqsQueues; batches: () => ScriptedRequest[] }> {
  const sqs = await startScriptedSqs(['events', 'events.fifo'], fault)
  const queues = openSqsQueues({
    queues: QUEUES,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    endpoint: async () => sqs.endpoint,
    ...options,
  })
  running.push(
    () => queues.close(),
    () => sqs.close(),
  )
  const batches = () => sqs.requests.filter(({ operation }) => operation === 'SendMessageBatch')
  return { sqs, queues, batches }
}

/** The same fault for the first batches. */
function batches(count: number, fault: Fault): (request: ScriptedRequest, nth: number) => Fault | undefined {
  return ({ operation }, nth) => (operation === 'SendMessageBatch' && nth <= count ? fault : undefined)
}

const numbered = (count: number, octets?: number) =>
  Array.from({ length: count }, (_, i) => event(`invoices/${i}`, octets))

function assertSent(results: readonly SendResult[], count: number): void {
  assert.deepEqual(
    results,
    Array.from({ length: count }, () => ({ sent: true })),
  )
}

function idsIn(sqs: ScriptedSqs, queue: string): string[] {
  return (sqs.queues.get(queue) ?? []).map(
    ({ MessageBody }) => (JSON.parse(MessageBody) as { id: string }).id,
  )
}

describe('a batch', () => {
  test('for a standard queue carries the group, which keeps it fair, and no deduplication', async () => {
    const { queues, batches } = await withFaults(() => undefined)

    assertSent(await queues.send('default', numbered(2)), 2)

    const [{ entries } = { entries: [] }] = batches()
    assert.deepEqual(
      entries,
      numbered(2).map(({ body }, i) => ({ Id: `${i}`, MessageBody: body, MessageGroupId: 'invoices' })),
    )
  })

  test('for a FIFO queue carries group and event id', async () => {
    const { queues, batches } = await withFaults(() => undefined)

    assertSent(await queues.send('orders', numbered(1)), 1)

    const [entry] = batches()[0]?.entries ?? []
    assert.equal(entry?.MessageGroupId, 'invoices')
    assert.equal(entry.MessageDeduplicationId, 'invoices/0')
  })

  test('has at most ten events and at most the octets of a batch', async () => {
    const { queues, batches } = await withFaults(() => undefined)

    assertSent(await queues.send('default', numbered(25)), 25)
    assertSent(await queues.send('default', numbered(20, 200_000)), 20)

    const sizes = batches().map(({ entries }) => entries.length)
    assert.deepEqual(sizes, [10, 10, 5, 5, 5, 5, 5])
    for (const { entries } of batches()) {
      const octets = entries.reduce((sum, { MessageBody }) => sum + Buffer.byteLength(MessageBody), 0)
      assert.ok(octets <= QUEUE.batchOctets, `${octets} octets`)
    }
  })

  test('goes where the endpoint is, and not to the host that GetQueueUrl names; the URL is asked for once', async () => {
    const { sqs, queues } = await withFaults(() => undefined)

    for (let time = 0; time < 3; time++) assertSent(await queues.send('default', numbered(1)), 1)

    const asked = sqs.requests.filter(({ operation }) => operation === 'GetQueueUrl')
    assert.equal(asked.length, 1)
    assert.equal(idsIn(sqs, 'events').length, 3)
  })

  for (const [what, address] of Object.entries({
    'a URL of AWS': 'https://sqs.eu-west-1.amazonaws.com/123456789012/events',
    'an ARN': 'arn:aws:sqs:eu-west-1:123456789012:events',
  }))
    test(`to a queue that is named by ${what} is signed for its region`, async () => {
      const { sqs, queues } = await withFaults(() => undefined, { queues: { default: address } })

      assertSent(await queues.send('default', numbered(1)), 1)

      for (const { headers } of sqs.requests)
        assert.match(headers.authorization ?? '', /\/eu-west-1\/sqs\/aws4_request/)
      const asked = sqs.requests.find(({ operation }) => operation === 'GetQueueUrl')
      assert.equal(asked?.body.QueueOwnerAWSAccountId, address.startsWith('arn') ? '123456789012' : undefined)
    })

  test('to a URL that is not of AWS goes there', async () => {
    const { sqs } = await withFaults(() => undefined)
    const address = `${sqs.endpoint}/123456789012/events`
    const { queues } = await withFaults(() => undefined, {
      queues: { default: address },
      endpoint: undefined,
    })

    assertSent(await queues.send('default', numbered(1)), 1)

    assert.equal(idsIn(sqs, 'events').length, 1)
  })

  test('of a standard queue goes beside others, up to a bound; of a FIFO queue one after the other', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { sqs, queues } = await withFaults(({ operation, queue }) =>
      operation === 'SendMessageBatch' && queue === 'events' ? { after: held } : undefined,
    )

    const sending = queues.send('default', numbered(200))
    while (sqs.mostAtOnce() < QUEUE.batchesInFlight) await new Promise((resolve) => setTimeout(resolve, 10))
    release()
    assertSent(await sending, 200)
    assert.equal(sqs.mostAtOnce(), QUEUE.batchesInFlight)

    const { sqs: other, queues: fifo } = await withFaults(() => undefined)
    const calls = [numbered(200), numbered(250).slice(200)].map((events) => fifo.send('orders', events))
    await Promise.all(calls)
    assert.equal(other.mostAtOnce(), 1)
    assert.deepEqual(
      idsIn(other, 'events.fifo'),
      numbered(250).map(({ id }) => id),
    )
  })
})

describe('an entry', () => {
  test('that is refused for the moment is sent again, alone, and its batch has a result each', async () => {
    const {
      sqs,
      queues,
      batches: sent,
    } = await withFaults(batches(2, { refuse: { 0: { code: 'InternalError', senderFault: false } } }))

    assertSent(await queues.send('default', numbered(3)), 3)

    assert.deepEqual(
      sent().map(({ entries }) => entries.length),
      [3, 1, 1],
    )
    assert.deepEqual(
      idsIn(sqs, 'events').sort(),
      numbered(3).map(({ id }) => id),
    )
  })

  test('that the answer does not name is sent again', async () => {
    const { sqs, queues } = await withFaults(batches(1, { refuse: { 1: 'forget' } }))

    assertSent(await queues.send('default', numbered(3)), 3)

    assert.equal(idsIn(sqs, 'events').length, 3)
  })

  test('that is refused for good is not sent again, says why, and the others are sent', async () => {
    const {
      sqs,
      queues,
      batches: sent,
    } = await withFaults(batches(1, { refuse: { 1: { code: 'InvalidMessageContents', senderFault: true } } }))

    const results = await queues.send('default', numbered(3))

    assert.deepEqual(results, [
      { sent: true },
      { sent: false, refused: 'queue default: InvalidMessageContents: as scripted' },
      { sent: true },
    ])
    assert.equal(sent().length, 1)
    assert.deepEqual(idsIn(sqs, 'events'), ['invoices/0', 'invoices/2'])
  })

  test('that is refused for the moment again and again is given up and says why', async () => {
    const { queues, batches: sent } = await withFaults(
      batches(99, { refuse: { 0: { code: 'InternalError', senderFault: false } } }),
    )

    const [result, other] = await queues.send('default', numbered(2))

    assert.deepEqual(result, { sent: false, refused: 'queue default: InternalError: as scripted' })
    // In the second batch the one that was left stood at the first place, too.
    assert.deepEqual(other, { sent: true })
    assert.equal(sent().length, QUEUE.attempts)
  })

  test('of a FIFO queue that is refused for the moment goes before later batches', async () => {
    const { sqs, queues } = await withFaults(
      batches(1, { refuse: { 9: { code: 'InternalError', senderFault: false } } }),
    )

    assertSent(await queues.send('orders', numbered(15)), 15)

    assert.deepEqual(
      idsIn(sqs, 'events.fifo'),
      numbered(15).map(({ id }) => id),
    )
  })

  test('for which a whole batch is refused delays only itself', async () => {
    const { sqs, queues } = await withFaults(({ entries }) =>
      entries.some(({ MessageBody }) => MessageBody.includes('invoices/4'))
        ? { status: 400, code: 'InvalidParameterValue' }
        : undefined,
    )
    for (const queue of ['default', 'orders']) {
      const results = await queues.send(queue, numbered(10))

      assert.deepEqual(
        results.map(({ sent }) => sent),
        Array.from({ length: 10 }, (_, i) => i !== 4),
      )
      assert.match(JSON.stringify(results[4]), /queue (default|orders): InvalidParameterValue/)
    }
    const others = numbered(10).filter((_, i) => i !== 4)
    assert.deepEqual(
      idsIn(sqs, 'events.fifo'),
      others.map(({ id }) => id),
    )
  })
})

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
    await new Promise((resolve) => setTimeout(resolve, 200))
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

  test('that is answered 503 is repeated, and may take as long as it was to wait', async () => {
    const { queues } = await withFaults(
      ({ operation }, nth) =>
        operation !== 'ReceiveMessage'
          ? undefined
          : nth === 1
            ? { status: 503, code: 'ServiceUnavailable' }
            : { after: new Promise((resolve) => setTimeout(resolve, 500)) },
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

  while ((await sqs.connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 10))
})

/** What the SDK would find by itself on the machine that runs the test. */
function forgetSettingsOfAws(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  process.env.AWS_CONFIG_FILE = process.env.AWS_SHARED_CREDENTIALS_FILE = devNull
  process.env.AWS_EC2_METADATA_DISABLED = 'true'
}
