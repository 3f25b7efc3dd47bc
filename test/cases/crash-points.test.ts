import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readMembers, readSteps } from '../../shared/cases/case-log.ts'
import type { CaseName } from '../../shared/contract/ids.ts'
import { Crash, type Crasher, openCrasher } from '../support/crashing-ports.ts'
import { CustodyWorld } from '../support/custody-world.ts'
import { message } from '../support/drain-world.ts'

// The promise at every crash point: whoever holds or releases dies before or after his n-th call, for every n, and does it again.

const OTT = 'ott-v-smith' as CaseName
const TAX = 'tax-audit' as CaseName
const LOANS = ['loan 1', 'loan 2', 'loan 3'].map((subject) => message(subject))
const SHARED = message('loan tax')
const OTHER = message('lunch')
const QUERY = { subject: ['loan'] }

async function drained(): Promise<CustodyWorld> {
  const world = new CustodyWorld()
  for (const text of [...LOANS, SHARED, OTHER]) world.store.deliver(text)
  await world.drain({ segmentMessages: 2 })
  return world
}

/** Lets it die at every call, before and after, and tries it again a quarter of an hour later. */
async function atEveryCall(
  prepare: () => Promise<CustodyWorld>,
  act: (world: CustodyWorld, crasher?: Crasher) => Promise<unknown>,
  assess: (world: CustodyWorld, where: string) => Promise<void>,
): Promise<void> {
  const prepared = await prepare()
  const measured = openCrasher(undefined)
  await act(prepared.fork(), measured)
  const calls = measured.calls()
  assert.ok(calls >= 10, `${calls} calls`)
  for (const moment of ['before', 'after'] as const)
    for (let call = 1; call <= calls; call++) {
      const world = prepared.fork()
      const crasher = openCrasher({ call, moment })
      await assert.rejects(act(world, crasher), Crash)
      world.clock = new Date(world.clock.getTime() + 16 * 60_000)

      await act(world)

      const where = `${crasher.diedAt()}, call ${call}`
      await assess(world, where).catch((error: Error) => {
        error.message = `${where}: ${error.message}`
        throw error
      })
    }
}

describe('a run that dies before or after any of its calls, and is run again', () => {
  test('holds every message of its query and no other, and says so once for each', () =>
    atEveryCall(
      drained,
      (world, crasher) => world.hold(OTT, QUERY, crasher),
      async (world) => {
        for (const text of [...LOANS, SHARED]) assert.equal(await world.isHeld(text), true, text)
        assert.equal(await world.isHeld(OTHER), false)
        const { head, members } = await readMembers(OTT, world.archive)
        assert.deepEqual(
          [...members.values()].map(({ is }) => is),
          ['held', 'held', 'held', 'held'],
        )
        assert.deepEqual(
          [head?.header.state, head?.header.searched, head?.header.queries],
          ['open', 1, [QUERY]],
        )
        let named = 0
        for await (const { header, messages } of readSteps(OTT, world.archive))
          if (header.step === 'holding') named += messages.length
        assert.equal(named, 4)
      },
    ))

  test('releases what no other case holds, and keeps what one does', () =>
    atEveryCall(
      async () => {
        const world = await drained()
        await world.hold(OTT, QUERY)
        await world.hold(TAX, { subject: ['tax'] })
        return world
      },
      // Doing it again after it had come to its end is refused, and that is all.
      (world, crasher) =>
        world.release(OTT, crasher).catch((error: unknown) => {
          if (!(error instanceof Error) || !error.message.endsWith('is closed')) throw error
        }),
      async (world) => {
        for (const text of LOANS) assert.equal(await world.isHeld(text), false, text)
        assert.equal(await world.isHeld(SHARED), true)
        const { head, members } = await readMembers(OTT, world.archive)
        assert.equal(head?.header.state, 'closed')
        assert.deepEqual([...members.values()].map(({ is }) => is).sort(), [
          'kept',
          'released',
          'released',
          'released',
        ])
      },
    ))

  test('holds new mail of open cases', () =>
    atEveryCall(
      async () => {
        const world = new CustodyWorld()
        world.store.deliver(OTHER)
        await world.drain()
        await world.hold(OTT, QUERY)
        await world.hold(TAX, { subject: ['tax'] })
        for (const text of [...LOANS, SHARED]) world.store.deliver(text)
        await world.drain({ segmentMessages: 2 })
        return world
      },
      (world, crasher) => world.holdNew(crasher),
      async (world) => {
        for (const text of [...LOANS, SHARED]) assert.equal(await world.isHeld(text), true, text)
        assert.equal(await world.isHeld(OTHER), false)
        for (const [name, count] of [
          [OTT, 4],
          [TAX, 1],
        ] as const) {
          const { members } = await readMembers(name, world.archive)
          assert.deepEqual(
            [...members.values()].map(({ is }) => is),
            Array.from({ length: count }, () => 'held'),
          )
        }
      },
    ))
})
