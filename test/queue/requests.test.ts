import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import { parseDrainRequest, parseProbeRequest } from '../../shared/contract/messages.ts'
import { IngestError } from '../../shared/errors.ts'
import type { EventQueues, OutgoingEvent } from '../../shared/queue/queue.ts'
import { requestDrains, requestProbes } from '../../shared/queue/requests.ts'

const orders = mailboxId('orders')
const invoices = mailboxId('invoices')

/** Takes what `takes` says, and keeps what it was given. */
function queue(takes: (event: OutgoingEvent) => boolean = () => true) {
  const given: OutgoingEvent[] = []
  const queues: Pick<EventQueues, 'send'> = {
    async send(name, events) {
      assert.equal(name, 'requests')
      given.push(...events)
      return events.map((event) => (takes(event) ? { sent: true } : { sent: false, refused: 'full' }))
    },
  }
  return { given, queues }
}

describe('requests', () => {
  test('for drains are of their mailbox as a group, under the id of the wake-up', async () => {
    const { given, queues } = queue()

    await requestDrains(queues, 'requests', [
      { id: 'probe-1-orders', mailbox: orders, reason: 'probe' },
      { id: 'probe-1-invoices', mailbox: invoices, reason: 'probe' },
    ])

    assert.deepEqual(
      given.map(({ id, group, body }) => [id, group, parseDrainRequest(body)]),
      [
        ['probe-1-orders', 'orders', { v: 1, mailbox: 'orders', reason: 'probe' }],
        ['probe-1-invoices', 'invoices', { v: 1, mailbox: 'invoices', reason: 'probe' }],
      ],
    )
  })

  test('for probes name each group of mailboxes', async () => {
    const { given, queues } = queue()

    await requestProbes(queues, 'requests', [[orders, invoices], [mailboxId('more')]])

    assert.deepEqual(
      given.map(({ body }) => parseProbeRequest(body).mailboxes),
      [['orders', 'invoices'], ['more']],
    )
  })

  test('that the queue does not take are not passed over', async () => {
    const { queues } = queue(({ group }) => group !== 'invoices')

    const asking = requestDrains(queues, 'requests', [
      { id: '1', mailbox: orders, reason: 'idle' },
      { id: '2', mailbox: invoices, reason: 'idle' },
    ])

    await assert.rejects(asking, (error) => {
      assert.ok(error instanceof IngestError)
      assert.equal(error.code, 'QUEUE_UNAVAILABLE')
      assert.match(error.message, /1 of 2 .*full/)
      return true
    })
  })

  test('of nothing do not trouble the queue', async () => {
    const queues = { send: async () => assert.fail('it was asked') }

    await requestDrains(queues, 'requests', [])
    await requestProbes(queues, 'requests', [])
  })
})
