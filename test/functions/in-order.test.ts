import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SqsRecord } from '../../functions/lambda/events.ts'
import { inOrder } from '../../functions/lambda/in-order.ts'

/** `a1` is message 1 of group a. */
const batch = (...names: readonly string[]): SqsRecord[] =>
  names.map((name) => ({
    messageId: name,
    receiptHandle: name,
    body: '',
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '0',
      MessageGroupId: name.slice(0, 1),
    },
  }))

/** Works on a batch, and tells what was looked at. `again`: these come back. */
async function work(records: readonly SqsRecord[], again: readonly string[]) {
  const seen: string[] = []
  const { batchItemFailures } = await inOrder(records, async ({ messageId }) => {
    seen.push(messageId)
    return again.includes(messageId) ? 'again' : 'done'
  })
  return { seen, failed: batchItemFailures.map(({ itemIdentifier }) => itemIdentifier) }
}

describe('a FIFO batch', () => {
  test('that is done comes back with nothing, in the order in which it came', async () => {
    assert.deepEqual(await work(batch('a1', 'b1', 'a2'), []), { seen: ['a1', 'b1', 'a2'], failed: [] })
  })

  test('holds back what is behind a failure in the same group, and works on the others to the end', async () => {
    assert.deepEqual(await work(batch('a1', 'b1', 'a2', 'b2', 'a3'), ['a1']), {
      seen: ['a1', 'b1', 'b2'],
      failed: ['a1', 'a2', 'a3'],
    })
  })

  test('does not take back what was done before a failure in its group', async () => {
    assert.deepEqual(await work(batch('a1', 'a2', 'a3'), ['a2']), {
      seen: ['a1', 'a2'],
      failed: ['a2', 'a3'],
    })
  })

  test('that is empty is done', async () => {
    assert.deepEqual(await work([], []), { seen: [], failed: [] })
  })

  test('with a defect fails as a whole, once every group had its turn', async () => {
    const seen: string[] = []
    const working = inOrder(batch('a1', 'a2', 'b1'), async ({ messageId }) => {
      seen.push(messageId)
      if (messageId === 'a1') throw new TypeError('a defect')
      return 'done'
    })

    await assert.rejects(working, { name: 'TypeError', message: 'a defect' })
    assert.deepEqual(seen, ['a1', 'b1'])
  })
})
