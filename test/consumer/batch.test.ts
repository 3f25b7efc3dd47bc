import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BatchOptions, consumeBatch } from '../../shared/consumer/batch.ts'
import { rememberEvents } from '../../shared/consumer/seen.ts'
import type { Event } from '../../shared/contract/event.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { lambdaRecord, recordedEvent } from '../support/recorded-events.ts'

const [A, B, C] = ['archived-plain', 'archived-invoice', 'quarantined'].map(recordedEvent) as [
  Event,
  Event,
  Event,
]
const batchOf = (...events: unknown[]) => ({
  Records: events.map((event, index) => lambdaRecord(event, `m${index}`)),
})

/** Handles a batch, and fails for the events named; what was handled, what comes again, what was told. */
async function consumed(batch: unknown, failing: readonly Event[] = [], options: BatchOptions = {}) {
  const handled: string[] = []
  const told: string[] = []
  const failed = (error: unknown, id: string): void => void told.push(`${id}: ${(error as Error).message}`)
  const { batchItemFailures } = await consumeBatch(
    batch,
    async (event) => {
      await new Promise(setImmediate)
      if (failing.some(({ id }) => id === event.id)) throw new Error('no')
      handled.push(event.id)
    },
    { failed, ...options },
  )
  return { handled, again: batchItemFailures.map(({ itemIdentifier }) => itemIdentifier), told }
}

describe('a batch', () => {
  test('has each event handled, and nothing comes again', async () => {
    const { handled, again, told } = await consumed(batchOf(A, B, C))
    assert.deepEqual(handled.sort(), [A.id, B.id, C.id].sort())
    assert.deepEqual([again, told], [[], []])
  })

  test('of which one fails has that one come again, and no other', async () => {
    const { handled, again, told } = await consumed(batchOf(A, B, C), [B])
    assert.deepEqual(handled.sort(), [A.id, C.id].sort())
    assert.deepEqual([again, told], [['m1'], ['m1: no']])
  })

  test('with what is no event has it come again, for the dead letters, beside events that are handled', async () => {
    const { handled, again, told } = await consumed(
      batchOf('poison', A, { specversion: '1.0', type: 'other' }),
    )
    assert.deepEqual([handled, again], [[A.id], ['m0', 'm2']])
    assert.match(told.join(), /^m0: neither .*,m2: type: /)
  })

  test('with an event of a later type is done with it', async () => {
    const { handled, again } = await consumed(batchOf({ ...A, type: 'mailsluice.message.archived.v2' }))
    assert.deepEqual([handled, again], [[], []])
  })

  test('of a FIFO queue is handled in the order of each group, and nothing after one that failed', async () => {
    const records = [
      lambdaRecord(A, 'a', 'x'),
      lambdaRecord(B, 'b', 'x'),
      lambdaRecord(C, 'c', 'x'),
      lambdaRecord(C, 'd', 'y'),
    ]
    const all = await consumed({ Records: records.slice(0, 3) })
    assert.deepEqual(all.handled, [A.id, B.id, C.id])

    const { handled, again } = await consumed({ Records: records }, [B])
    assert.deepEqual([handled.sort(), again], [[A.id, C.id].sort(), ['b', 'c']])
  })

  test('of EventBridge Pipes, or of the SDK, is a list', async () => {
    const sdk = [A, B].map((event, index) => ({ MessageId: `m${index}`, Body: JSON.stringify(event) }))
    for (const list of [batchOf(A, B).Records, sdk]) {
      const { handled, again } = await consumed(list, [B])
      assert.deepEqual([handled, again], [[A.id], ['m1']])
    }
  })

  test('that is none is refused as a whole, so that the Lambda fails', async () => {
    for (const batch of [undefined, {}, { Records: 5 }, 'x'])
      await assert.rejects(consumed(batch), { code: 'EVENT_INVALID' })
  })

  test('of hundreds is worked on ten at a time', async () => {
    let most = 0
    let now = 0
    const batch = Array.from({ length: 300 }, (_, index) => lambdaRecord(A, `m${index}`))
    await consumeBatch(batch, async () => {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
      now--
    })
    assert.equal(most, 10)
  })
})

describe('a batch whose consumer remembers', () => {
  test('has an event handled once, however often it comes, in one batch or in several', async () => {
    const seen = rememberEvents(openMemoryState(), { consumer: 'invoices' })
    const first = await consumed(batchOf(A, A, B), [], { seen })
    const second = await consumed(batchOf(A, B, C), [], { seen })

    assert.deepEqual(first.handled.sort(), [A.id, B.id].sort())
    // Of two at the same time the second one waits for what becomes of the first.
    assert.deepEqual(first.again, ['m1'])
    assert.deepEqual([second.handled, second.again], [[C.id], []])
  })

  test('has one that failed handled again', async () => {
    const seen = rememberEvents(openMemoryState(), { consumer: 'invoices' })
    assert.deepEqual((await consumed(batchOf(A), [A], { seen })).again, ['m0'])
    assert.deepEqual((await consumed(batchOf(A), [], { seen })).handled, [A.id])
    assert.deepEqual((await consumed(batchOf(A), [], { seen })).handled, [])
  })

  test('has the failure of the handler told, also when the claim cannot be released', async () => {
    const claim = { finish: async () => {}, release: () => Promise.reject(new Error('gone')) }
    const { again, told } = await consumed(batchOf(A), [A], { seen: { claim: async () => claim } })
    assert.deepEqual([again, told], [['m0'], ['m0: no']])
  })

  test('has an event come again that could not be marked as done: it may be handled twice, and is not lost', async () => {
    const claim = { finish: () => Promise.reject(new Error('gone')), release: async () => {} }
    const { handled, again } = await consumed(batchOf(A), [], { seen: { claim: async () => claim } })
    assert.deepEqual([handled, again], [[A.id], ['m0']])
  })
})
