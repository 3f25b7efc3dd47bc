import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { QUEUE } from '../../shared/limits.ts'
import { event } from '../contract/queue.ts'
import { assertSent, batches, idsIn, numbered, withFaults } from '../support/sqs-faults.ts'

// What the adapter asks of SQS, and what it makes of single events that are refused. The promises themselves are held on real engines:
// local.test.ts, test/interop/sqs.interop.ts.

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

  test('carries ids that SQS takes, whatever ids events have, and different ones for different ids', async () => {
    const { queues, batches } = await withFaults(() => undefined)
    const ids = ['', 'a b', 'ä', 'x'.repeat(128), 'x'.repeat(129), 'x'.repeat(130)]

    await queues.send(
      'orders',
      ids.map((id) => ({ ...event('one'), id, group: id })),
    )

    const entries = batches().flatMap(({ entries }) => entries)
    for (const name of ['MessageGroupId', 'MessageDeduplicationId'] as const) {
      const carried = entries.map((entry) => entry[name] ?? '')
      for (const id of carried) assert.match(id, /^[!-~]{1,128}$/)
      assert.equal(new Set(carried).size, ids.length)
    }
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

  test('goes where AWS_ENDPOINT_URL_SQS says when no endpoint is given', async () => {
    const { sqs } = await withFaults(() => undefined)
    process.env.AWS_ENDPOINT_URL_SQS = sqs.endpoint
    try {
      const { queues } = await withFaults(() => undefined, { endpoint: undefined })

      assertSent(await queues.send('default', numbered(1)), 1)
    } finally {
      delete process.env.AWS_ENDPOINT_URL_SQS
    }
    assert.equal(idsIn(sqs, 'events').length, 1)
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
    while (sqs.mostAtOnce() < QUEUE.batchesInFlight) await sleep(10)
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
