import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listCases, readMembers } from '../../shared/cases/case-log.ts'
import { archivedEventId } from '../../shared/contract/event.ts'
import type { CaseName } from '../../shared/contract/ids.ts'
import { IngestError } from '../../shared/errors.ts'
import { isCode } from '../contract/archive.ts'
import { type Crasher, openCrasher } from '../support/crashing-ports.ts'
import { CustodyWorld } from '../support/custody-world.ts'
import { message } from '../support/drain-world.ts'
import { shuffle } from '../support/shuffle.ts'
import { digestOf } from '../support/stores.ts'

// What happens at the same time: one whole thing between any two steps of another, or the steps of both in many orders.

const OTT = 'ott-v-smith' as CaseName
const TAX = 'tax-audit' as CaseName
const LOAN = message('loan 1')
const LATE = message('loan 2')
const QUERY = { subject: ['loan'] }

/** A mailbox of which everything was drained and compared with the cases. */
async function drained(...texts: string[]): Promise<CustodyWorld> {
  const world = new CustodyWorld()
  await arrive(world, ...texts)
  await world.holdNew()
  return world
}

async function arrive(world: CustodyWorld, ...texts: string[]): Promise<void> {
  for (const text of texts) world.store.deliver(text)
  await world.drain()
}

/** Copies of one world, for what needs no mail server. */
function copiesOf(prepare: () => Promise<CustodyWorld>): () => Promise<CustodyWorld> {
  const prepared = prepare()
  return async () => (await prepared).fork()
}

/** Runs `long` once for each of its moments, with the whole of `short` at that moment. */
async function atEveryMoment(
  prepare: () => Promise<CustodyWorld>,
  long: (world: CustodyWorld, crasher: Crasher) => Promise<unknown>,
  short: (world: CustodyWorld) => Promise<unknown>,
  assess: (world: CustodyWorld, moment: number) => Promise<void>,
): Promise<void> {
  let moments = 0
  await long(
    await prepare(),
    openCrasher(undefined, async () => {
      moments++
    }),
  )
  assert.ok(moments >= 10, `${moments} moments`)
  for (let moment = 1; moment <= moments; moment++) {
    const world = await prepare()
    let now = 0
    await long(
      world,
      openCrasher(undefined, async () => {
        if (++now === moment) await short(world)
      }),
    )
    await assess(world, moment)
  }
}

/** Refused, for it cannot be told yet what the other case holds. */
function refused(error: unknown): void {
  if (!(error instanceof IngestError) || error.code !== 'CASE_STATE') throw error
}

test('a case that is opened, and mail that arrives, at any moment of a search for new mail leave nothing unheld', () =>
  atEveryMoment(
    async () => {
      const world = await drained()
      await arrive(world, LOAN)
      return world
    },
    (world, crasher) => world.holdNew(crasher),
    async (world) => {
      await world.hold(OTT, QUERY)
      await arrive(world, LATE)
    },
    async (world, moment) => {
      // For the segment that came meanwhile it is called too.
      await world.holdNew()
      for (const text of [LOAN, LATE])
        assert.equal(await world.isHeld(text), true, `moment ${moment}: ${text}`)
    },
  ))

test('mail that arrives at any moment of the opening of a case is held', () =>
  atEveryMoment(
    () => drained(LOAN),
    (world, crasher) => world.hold(OTT, QUERY, crasher),
    async (world) => {
      await arrive(world, LATE)
      await world.holdNew()
    },
    async (world, moment) => {
      for (const text of [LOAN, LATE])
        assert.equal(await world.isHeld(text), true, `moment ${moment}: ${text}`)
    },
  ))

test('a case that is opened at any moment of the release of another keeps what it asks for', () =>
  atEveryMoment(
    copiesOf(async () => {
      const world = await drained(LOAN)
      await world.hold(OTT, QUERY)
      return world
    }),
    (world, crasher) => world.release(OTT, crasher).catch(refused),
    (world) => world.hold(TAX, QUERY),
    async (world, moment) => assert.equal(await world.isHeld(LOAN), true, `moment ${moment}`),
  ))

test('a case that is released at any moment of the opening of another takes nothing from it', () =>
  atEveryMoment(
    copiesOf(async () => {
      const world = await drained(LOAN)
      await world.hold(OTT, QUERY)
      return world
    }),
    (world, crasher) => world.hold(TAX, QUERY, crasher),
    (world) => world.release(OTT).catch(refused),
    async (world, moment) => assert.equal(await world.isHeld(LOAN), true, `moment ${moment}`),
  ))

test('a case that is released at any moment of the release of another leaves nothing held', () =>
  atEveryMoment(
    copiesOf(async () => {
      const world = await drained(LOAN)
      await world.hold(OTT, QUERY)
      await world.hold(TAX, QUERY)
      return world
    }),
    (world, crasher) => world.release(OTT, crasher),
    (world) => world.release(TAX),
    async (world, moment) => assert.equal(await world.isHeld(LOAN), false, `moment ${moment}`),
  ))

test('what a case has named and not held yet, is not taken from it by the release of another', async () => {
  const dying = openCrasher(undefined)
  const prepare = async (): Promise<CustodyWorld> => {
    const world = await drained()
    await world.hold(TAX, QUERY)
    await arrive(world, LOAN)
    await world.hold(OTT, QUERY)
    return world
  }
  await (await prepare()).holdNew(dying)
  let named = 0
  for (let call = 1; call <= dying.calls(); call++) {
    const world = await prepare()
    await world.holdNew(openCrasher({ call, moment: 'after' })).catch(() => undefined)
    world.clock = new Date(world.clock.getTime() + 16 * 60_000)
    await world.release(OTT)

    const { members } = await readMembers(TAX, world.archive)
    if (!members.has(archivedEventId(world.mailbox.id, digestOf(LOAN)))) continue
    named++
    assert.equal(await world.isHeld(LOAN), true, `call ${call}`)
  }
  assert.ok(named > 0)
})

describe('a release is refused', () => {
  test('while another case has not found all of its messages', async () => {
    const world = await drained(LOAN)
    await world.hold(OTT, QUERY)
    await world.hold(TAX, QUERY, openCrasher({ call: 5, moment: 'after' })).catch(() => undefined)
    const [, tax] = await Array.fromAsync(listCases(world.archive))
    assert.deepEqual([tax?.header.case, tax?.header.searched], [TAX, 0])

    await assert.rejects(world.release(OTT), /case tax-audit has not found all of its messages/)

    assert.equal(await world.isHeld(LOAN), true)
    await world.hold(TAX, undefined)
    assert.deepEqual(await world.release(OTT), { case: OTT, released: 0, kept: 1, missing: 0 })
  })

  test('while somebody else is just about to hold for it, until he must be dead', async () => {
    const world = await drained(LOAN)
    let call = 1
    while ((await readMembers(OTT, world.archive)).members.size === 0)
      await world.hold(OTT, QUERY, openCrasher({ call: call++, moment: 'after' })).catch(() => undefined)
    assert.equal(await world.isHeld(LOAN), false)

    await assert.rejects(world.release(OTT), /are being held by another run/)

    world.clock = new Date(world.clock.getTime() + 16 * 60_000)
    assert.equal((await world.release(OTT)).released, 1)
  })

  test('of a case that is closed, and of one that is not there', async () => {
    const world = await drained(LOAN)
    await world.hold(OTT, QUERY)
    await world.release(OTT)

    await assert.rejects(world.release(OTT), isCode('CASE_STATE'))
    await assert.rejects(world.release('nobodys'), isCode('CASE_STATE'))
    await assert.rejects(world.hold(OTT, QUERY), isCode('CASE_STATE'))
  })
})

test('two runs of one case, in any order of their steps, leave it whole', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = await drained(LOAN, LATE)
    const pause = shuffle(seed)

    await Promise.all([0, 1].map(() => world.hold(OTT, QUERY, openCrasher(undefined, pause))))

    const { head, members } = await readMembers(OTT, world.archive)
    assert.equal(head?.header.searched, 1, `seed ${seed}`)
    assert.deepEqual(
      [...members.values()].map(({ is }) => is),
      ['held', 'held'],
    )
  }
})
