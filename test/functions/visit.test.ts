import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { beginVisit, type Visit } from '../../functions/lambda/visit.ts'
import { IngestError } from '../../shared/errors.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { openSuspensions, readSuspension } from '../../shared/suspension.ts'
import { DrainWorld, message, QUEUES } from '../support/drain-world.ts'

const refused = new IngestError('AUTHENTICATION_FAILED', 'wrong password')

/** A mailbox whose server refuses until it is told otherwise, at a time that is set by hand. */
class Place {
  readonly world = new DrainWorld()
  readonly state: StateStore = openMemoryState()
  readonly unkept: IngestError[] = []
  refuses = true
  logIns = 0
  minutes = 0

  visit(state: StateStore = this.state): Visit {
    const suspensions = openSuspensions({
      state,
      queues: openMemoryQueues({ queues: QUEUES }),
      credentials: { version: async () => '1' },
      now: () => new Date(this.minutes * 60_000),
      random: () => 0,
    })
    const open = async () => {
      this.logIns++
      if (this.refuses) throw refused
      return this.world.store.open()
    }
    return beginVisit(this.world.mailbox, open, suspensions, (error) => this.unkept.push(error))
  }

  /** Drains as a function does; the code of what it failed with. */
  async drain(visit: Visit = this.visit()): Promise<string | undefined> {
    const { error } = await this.world.drain({}, { openMailbox: visit.openMailbox })
    await visit.ended(error)
    return error?.code
  }

  suspension() {
    return readSuspension(this.world.mailbox.id, this.state)
  }
}

describe('a visit to a mailbox', () => {
  test('that is refused suspends it, and the next one turns back at the door with the same error', async () => {
    const place = new Place()

    assert.equal(await place.drain(), 'AUTHENTICATION_FAILED')
    assert.equal((await place.suspension())?.attempts, 1)

    place.minutes = 1
    assert.equal(await place.drain(), 'AUTHENTICATION_FAILED')
    assert.deepEqual([place.logIns, (await place.suspension())?.attempts], [1, 1])
  })

  test('that succeeds after the pause ends the suspension', async () => {
    const place = new Place()
    place.world.store.deliver(message('one'))
    await place.drain()

    place.refuses = false
    place.minutes = 6
    assert.equal(await place.drain(), undefined)

    assert.equal(await place.suspension(), undefined)
    assert.equal((await place.world.takeEvents()).length, 1)
  })

  test('that never came to the door leaves the one try to the next', async () => {
    const place = new Place()
    await place.drain()
    place.refuses = false
    place.minutes = 6

    await place.visit().ended(undefined)

    assert.equal(await place.drain(), undefined)
  })

  test('that fails at the archive says nothing of the mailbox', async () => {
    const place = new Place()
    place.refuses = false
    const visit = place.visit()
    await visit.openMailbox()

    await visit.ended(new IngestError('ARCHIVE_DENIED', 'no'))

    assert.equal(await place.suspension(), undefined)
  })

  test('tells what it cannot keep, and takes nothing back', async () => {
    const place = new Place()
    const write = async () => {
      throw new IngestError('ARCHIVE_UNAVAILABLE', 'no answer')
    }

    assert.equal(await place.drain(place.visit({ ...place.state, write })), 'AUTHENTICATION_FAILED')

    assert.deepEqual(
      place.unkept.map(({ code }) => code),
      ['ARCHIVE_UNAVAILABLE'],
    )
  })
})
