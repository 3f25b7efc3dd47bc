import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openMemoryCustody } from '../../shared/archive/memory-custody.ts'
import type { Sha256 } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { countIds } from '../../shared/ledger/id-days.ts'
import { openRecorder } from '../../shared/ledger/recorder.ts'
import { DRAIN } from '../../shared/limits.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { digestOf } from '../support/stores.ts'

// What leaves the server days after it was archived leaves it only while the archive has it safe.

const DAY_MS = 86_400_000
/** An hour after midnight, UTC: age is counted in days. */
const FIRST = Math.floor(Date.now() / DAY_MS) * DAY_MS + 3_600_000
const onDay = (days: number) => ({ now: () => new Date(FIRST + days * DAY_MS) })
const A = message('a')
const B = message('b')
const SETTINGS = { afterArchive: { deleteAfterDays: 30 }, retention: { mode: 'governance', days: 365 } }

async function archived(more: object = {}): Promise<DrainWorld> {
  const world = new DrainWorld({ ...SETTINGS, ...more })
  for (const text of [A, B]) world.store.deliver(text)
  await world.drain(onDay(0))
  return world
}

const keyOf = (world: DrainWorld, text: string) => rawKey(world.mailbox.id, digestOf(text))

function left(world: DrainWorld): string[] {
  return world.store.messages().map(({ octets }) => octets.toString())
}

async function assertKept(world: DrainWorld, report: DrainReport, lacks: string): Promise<void> {
  assert.equal(report.error, undefined)
  assert.deepEqual(left(world), [A])
  assert.equal(report.counts.acknowledged, 1)
  assert.equal(report.warnings.length, 1, report.warnings.join())
  const kept = (await world.entries()).flatMap((entry) => (entry.type === 'kept' ? [entry] : []))
  assert.deepEqual(
    kept.map((entry) => [countIds(entry.ids), entry.lacks]),
    [[1, lacks]],
  )
}

for (const protocol of ['imap', 'pop3'] as const)
  describe(`a message that is due for deletion (${protocol})`, () => {
    test('goes when the archive has it safe, and the ledger tells what was checked before', async () => {
      const world = await archived({ protocol })

      await world.drain(onDay(30))

      assert.deepEqual(left(world), [])
      const [intent, receipt] = (await world.entries()).slice(-2)
      assert.ok(intent?.type === 'acknowledge' && receipt?.type === 'acknowledged')
      assert.deepEqual(intent.checked, ['announcement', 'object', 'checksum', 'lock', 'hold'])
    })

    test('goes with its copies', async () => {
      const world = await archived({ protocol })
      for (const text of [A, A]) world.store.deliver(text)
      await world.drain(onDay(0))

      await world.drain(onDay(30))

      assert.deepEqual(left(world), [])
    })

    test('goes with its copies that came beside it', async () => {
      const world = new DrainWorld({ ...SETTINGS, protocol })
      for (const text of [A, A, A]) world.store.deliver(text)
      await world.drain(onDay(0))

      await world.drain(onDay(30))

      assert.deepEqual(left(world), [])
    })

    test('stays when the archive does not have it any more', async () => {
      const world = await archived({ protocol })
      world.memory.objects.delete(keyOf(world, A))

      await assertKept(world, await world.drain(onDay(30)), 'object')
    })

    test('stays when another version is under its key', async () => {
      const world = await archived({ protocol })
      world.memory.objects.delete(keyOf(world, A))
      await world.memory.putOver(keyOf(world, A), Buffer.from(A))

      await assertKept(world, await world.drain(onDay(30)), 'object')
    })

    test('stays when the archive has another checksum', async () => {
      const world = await archived({ protocol })
      world.memory.change(keyOf(world, A), { sha256: 'ab'.repeat(32) as Sha256 })

      await assertKept(world, await world.drain(onDay(30)), 'checksum')
    })

    test('stays when the archive has it in another length', async () => {
      const world = await archived({ protocol })
      world.memory.change(keyOf(world, A), { octets: 1 })

      await assertKept(world, await world.drain(onDay(30)), 'checksum')
    })

    test('stays when its lock was lifted, or has ended', async () => {
      for (const retainUntil of [undefined, new Date(FIRST + 29 * DAY_MS).toISOString()]) {
        const world = await archived({ protocol })
        world.memory.change(keyOf(world, A), { retainUntil })
        // What was reckoned counts where an engine tells no date; it ends too.
        const report = await world.drain(onDay(retainUntil ? 30 : 366))

        if (retainUntil) await assertKept(world, report, 'lock')
        else assert.deepEqual(left(world), [A, B])
      }
    })

    test('goes where the store tells no date and the reckoned one lasts', async () => {
      const world = await archived({ protocol })
      world.memory.change(keyOf(world, A), { retainUntil: undefined, lockMode: undefined })

      await world.drain(onDay(30))

      assert.deepEqual(left(world), [])
    })

    test('stays while it is under a legal hold, and goes on a later day when it is released', async () => {
      const world = await archived({ protocol })
      const custody = openMemoryCustody(world.memory.objects)
      const [version] = world.memory.objects.get(keyOf(world, A)) ?? []
      const name = { key: keyOf(world, A), versionId: version?.facts.versionId }
      await custody.hold(name, 'on')
      await assertKept(world, await world.drain(onDay(30)), 'hold')

      await custody.hold(name, 'off')
      await world.drain(onDay(30.1))
      assert.deepEqual(left(world), [A], 'looked at once a day')
      await world.drain(onDay(31))

      assert.deepEqual(left(world), [])
    })

    test('goes when a law wanted it to be forgotten in the archive', async () => {
      const world = await archived({ protocol })
      world.memory.objects.delete(keyOf(world, A))
      const recorder = await openRecorder(world.mailbox.id, world.archive, undefined, () => new Date())
      await recorder.record([
        { type: 'deleted', sha256: digestOf(A), octets: A.length, ground: 'erasure', by: 'x', reason: 'y' },
      ])

      await world.drain(onDay(30))

      assert.deepEqual(left(world), [])
    })
  })

test('a store without locks is asked for everything else', async () => {
  const world = await archived()
  for (const text of [A, B])
    world.memory.change(keyOf(world, text), { retainUntil: undefined, lockMode: undefined })
  const audit = { locks: false, inspect: world.memory.audit.inspect }

  await world.drain(onDay(400), { audit })

  assert.deepEqual(left(world), [])
})

test('of very many that are due a drain looks at some, and the next ones at the rest', async () => {
  const world = new DrainWorld(SETTINGS)
  const count = DRAIN.removalsAtOnce + 10
  for (let index = 0; index < count; index++) world.store.deliver(message(`m${index}`))
  await world.drain(onDay(0))

  await world.drain(onDay(30))
  assert.equal(left(world).length, 10)

  await world.drain(onDay(30))
  assert.equal(left(world).length, 0)
})

test('the entries are found in a ledger of many days by halves', async () => {
  const world = new DrainWorld(SETTINGS)
  for (let day = 0; day < 64; day++) {
    world.store.deliver(message(`day ${day}`))
    await world.drain({ ...onDay(day * 0.4) })
  }
  let read = 0
  const archive = {
    ...world.archive,
    get: (key: Parameters<typeof world.archive.get>[0]) => {
      read++
      return world.archive.get(key)
    },
  }

  await world.drain(onDay(30), { archive })

  assert.equal(left(world).length, 61)
  assert.ok(read < 25, `${read} segments read`)
})
