import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { eventSchema } from '../../shared/contract/event.ts'
import { QUEUE } from '../../shared/limits.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { corpus, corpusMissing } from '../support/corpus.ts'
import { corpusEvent, recordedSnapshots, snapshotLine } from '../support/corpus-events.ts'
import { inPieces } from '../support/pieces.ts'

// Every event of the corpus is recorded by its digest: whatever changes one has to be meant. `node test/support/write-corpus-events.ts` records anew.

/** What most events stay below. */
const USUAL_OCTETS = 6 * 1024

describe('the events of the corpus', { skip: corpusMissing() }, () => {
  const events = new Map<string, string>()
  before(async () => {
    for (const { name, octets } of corpus()) events.set(name, corpusEvent(octets, await parseMessage(octets)))
  })

  test('are those that are recorded', () => {
    assert.deepEqual(
      [...events].map(([name, event]) => snapshotLine(name, event)),
      recordedSnapshots(),
    )
  })

  test('hold to the schema, in ASCII, and nothing in them is unknown to it', () => {
    for (const [name, event] of events) {
      const value: unknown = JSON.parse(event)
      assert.deepEqual(eventSchema.parse(value), value, name)
      assert.match(event, /^[\x20-\x7e]*$/, name)
    }
  })

  test('are small: none above the bound, and nine of ten below 6 KiB', () => {
    const lengths = [...events.values()].map(({ length }) => length).sort((a, b) => a - b)

    assert.ok((lengths.at(-1) ?? 0) <= QUEUE.eventOctets)
    const nine = lengths[Math.floor(lengths.length * 0.9)] ?? 0
    assert.ok(nine < USUAL_OCTETS, `${nine} octets`)
    console.log(
      `# events: half up to ${lengths[Math.floor(lengths.length / 2)]}, nine of ten up to ${nine} octets`,
    )
  })

  test('do not depend on how the octets come, nor on where they are parsed', async () => {
    const parser = openWorkerParser()
    try {
      for (const { name, octets } of corpus()) {
        assert.equal(corpusEvent(octets, await parseMessage(inPieces(octets, 1009))), events.get(name), name)
        assert.equal(corpusEvent(octets, await parser.parse(memoryOctets(octets))), events.get(name), name)
      }
    } finally {
      await parser.close()
    }
  })
})
