import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { countIds } from '../../shared/ledger/id-days.ts'
import { readSegments } from '../../shared/ledger/ledger.ts'
import { Crash, type CrashPoint, crashingPorts } from '../support/crashing-ports.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { shuffle } from '../support/shuffle.ts'

// The promise at every crash point: a drain dies before or after its n-th call to the world, for every n, and is run again.

const SUBJECTS = ['a', 'b', 'c', 'a', 'd', 'e', 'f']
const TEXTS = SUBJECTS.map((subject) =>
  // One has an attachment that is extracted before it is announced.
  subject === 'b' ? withAttachment(subject) : message(subject),
)
const DISTINCT = [...new Set(TEXTS)]
/** Two segments and a rest, so that deaths between them are met. */
const OPTIONS = { segmentMessages: 3 }

const POLICIES: readonly Record<string, unknown>[] = [
  { protocol: 'imap', afterArchive: 'keep' },
  { protocol: 'imap', afterArchive: 'delete' },
  { protocol: 'imap', afterArchive: { move: 'Done' } },
  { protocol: 'imap', afterArchive: 'seen' },
  { protocol: 'pop3', afterArchive: 'delete' },
]

function withAttachment(subject: string): string {
  return message(subject, '%PDF-1.7').replace('\r\n\r\n', '\r\nContent-Type: application/pdf\r\n\r\n')
}

function newWorld(settings: Record<string, unknown>): DrainWorld {
  const world = new DrainWorld(settings)
  world.routes = [{ queue: 'default', when: {}, extract: 'application/pdf' }]
  for (const text of TEXTS) world.store.deliver(text)
  return world
}

/** Runs until a drain has nothing left to complain about. */
async function drainOut(world: DrainWorld): Promise<DrainReport> {
  for (let run = 0; run < 3; run++) {
    const report = await world.drain(OPTIONS)
    if (!report.error) return report
    assert.equal(report.error.code, 'LEDGER_RACE_LOST')
  }
  throw new Error('three drains in a row lost their race against nobody')
}

/** What has left its folder, or bears a mark. */
function acknowledged(world: DrainWorld): string[] {
  const present = world.store.messages()
  const marked = present.filter(({ flags }) => flags.size > 0).map(({ octets }) => octets.toString())
  const left = new Map<string, number>()
  for (const text of TEXTS) left.set(text, (left.get(text) ?? 0) + 1)
  for (const { octets } of present) left.set(octets.toString(), (left.get(octets.toString()) ?? 0) - 1)
  return [...marked, ...[...left].filter(([, missing]) => missing > 0).map(([text]) => text)]
}

/** Removed messages are named by an intent that was recorded before. */
async function assertIntentPrecedes(world: DrainWorld): Promise<void> {
  const { afterArchive } = world.mailbox
  const removed = TEXTS.length - world.store.messages().length
  if (afterArchive === 'keep' || afterArchive === 'seen' || removed === 0) return
  const intents = (await world.entries()).flatMap((entry) =>
    entry.type === 'acknowledge' ? [entry.ids] : [],
  )
  const intended = intents.reduce((sum, ids) => sum + countIds(ids), 0)
  assert.ok(intended >= removed, `${removed} removed, ${intended} intended`)
}

async function recordedEvents(world: DrainWorld): Promise<Set<string>> {
  const recorded = new Set<string>()
  for await (const { entries } of readSegments(world.mailbox.id, world.archive))
    for (const entry of entries)
      if (entry.type === 'message' && entry.outcome !== 'pending') recorded.add(`invoices/${entry.sha256}`)
  return recorded
}

async function assertAcknowledgedIsSafe(
  world: DrainWorld,
  announced: ReadonlyMap<string, number>,
): Promise<void> {
  const recorded = await recordedEvents(world)
  for (const text of acknowledged(world)) {
    const id = world.eventId(text)
    assert.equal((await world.archived(text)).toString(), text)
    assert.ok(announced.has(id), 'acknowledged, so it was announced')
    assert.ok(recorded.has(id), 'acknowledged, so it is recorded')
  }
}

async function takeAnnounced(world: DrainWorld, into: Map<string, number>): Promise<Map<string, number>> {
  for (const { id, type } of await world.takeEvents())
    if (type === MESSAGE_ARCHIVED) into.set(id, (into.get(id) ?? 0) + 1)
  return into
}

async function assertEverythingIsDone(
  world: DrainWorld,
  announced: ReadonlyMap<string, number>,
): Promise<void> {
  for (const text of DISTINCT) {
    assert.equal((await world.archived(text)).toString(), text)
    assert.ok(announced.has(world.eventId(text)), 'announced at least once')
  }
  assert.equal(announced.size, DISTINCT.length, 'one event id a message')
  await world.assertLedgerVerifies()
  const { afterArchive } = world.mailbox
  if (afterArchive === 'delete' || typeof afterArchive === 'object')
    assert.deepEqual(world.store.messages(), [])
  if (afterArchive === 'seen') assert.ok(world.store.messages().every(({ flags }) => flags.has('\\Seen')))
  if (typeof afterArchive === 'object') assert.equal(world.store.messages('Done').length, TEXTS.length)
}

async function callsOf(settings: Record<string, unknown>): Promise<number> {
  const world = newWorld(settings)
  const { ports, calls } = crashingPorts(world.ports(), undefined)
  const report = await world.drain(OPTIONS, ports)
  assert.equal(report.error, undefined)
  return calls()
}

for (const settings of POLICIES)
  describe(`a drain that dies (${settings.protocol}, ${JSON.stringify(settings.afterArchive)})`, () => {
    for (const moment of ['before', 'after'] as const)
      test(`${moment} any of its calls loses nothing, acknowledges nothing unsafe, and announces under one id`, async () => {
        const calls = await callsOf(settings)
        assert.ok(calls > 20, `a drain makes ${calls} calls`)
        let repeats = 0
        for (let call = 1; call <= calls; call++) {
          const point: CrashPoint = { call, moment }
          const world = newWorld(settings)
          const { ports, diedAt } = crashingPorts(world.ports(), point)

          await assert.rejects(world.drain(OPTIONS, ports), Crash, `call ${call} ends it`)

          const where = `${diedAt()}, call ${call}`
          const announced = await takeAnnounced(world, new Map())
          await assertAcknowledgedIsSafe(world, announced)
          await assertIntentPrecedes(world)
          await drainOut(world)
          await takeAnnounced(world, announced)
          await assertEverythingIsDone(world, announced).catch((error: Error) => {
            error.message = `${where}: ${error.message}`
            throw error
          })
          const idle = await world.drain(OPTIONS)
          // A move makes new messages in no folder that is drained here, so nothing is left either.
          assert.deepEqual([idle.counts.segments, idle.octets], [0, 0], where)
          for (const times of announced.values()) repeats += times - 1
        }
        assert.ok(
          repeats <= calls * OPTIONS.segmentMessages,
          `${repeats} repeats: at most what one segment announces each`,
        )
      })
  })

describe('two drains of one mailbox at the same time', () => {
  for (const settings of POLICIES)
    test(`${settings.protocol}, ${JSON.stringify(settings.afterArchive)}: in any order of their steps nothing is lost or unsafe`, async () => {
      for (let seed = 1; seed <= 40; seed++) {
        const world = newWorld(settings)
        const pause = shuffle(seed)

        const reports = await Promise.all(
          [0, 1].map(() => world.drain(OPTIONS, crashingPorts(world.ports(), undefined, pause).ports)),
        )

        for (const { error } of reports)
          assert.ok(!error || EXPECTED.has(error.code), `seed ${seed}: ${error?.code}`)
        const announced = await takeAnnounced(world, new Map())
        await assertAcknowledgedIsSafe(world, announced)
        await drainOut(world)
        await assertEverythingIsDone(world, await takeAnnounced(world, announced))
      }
    })

  const EXPECTED: ReadonlySet<string> = new Set(['LEDGER_RACE_LOST'])
})
