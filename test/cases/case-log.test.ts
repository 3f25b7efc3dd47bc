import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listCases, openCases, readHead, readMembers } from '../../shared/cases/case-log.ts'
import { decodeStep, encodeStep } from '../../shared/cases/step.ts'
import type { CaseName, ObjectKey } from '../../shared/contract/ids.ts'
import { caseStepKey, parseCaseStepKey } from '../../shared/contract/object-key.ts'
import { isCode } from '../contract/archive.ts'
import { CustodyWorld, ORDER } from '../support/custody-world.ts'
import { message } from '../support/drain-world.ts'

const OTT = 'ott' as CaseName

/** A case with four steps that holds one message. */
async function opened(): Promise<CustodyWorld> {
  const world = new CustodyWorld()
  world.store.deliver(message('loan'))
  await world.drain()
  await world.hold(OTT, { subject: ['loan'] })
  return world
}

async function stepOf(world: CustodyWorld, seq: number): Promise<Buffer> {
  const { body } = await world.archive.get(caseStepKey(OTT, seq))
  return Buffer.concat(await body.toArray())
}

describe('the log of a case', () => {
  test('says with each step who, when and why, what the case asks for and what it is', async () => {
    const world = await opened()

    const { header } = decodeStep(await stepOf(world, 4), 'step')

    const { previous, ledgers, at, ...said } = header
    assert.match(previous ?? '', /^[0-9a-f]{64}$/)
    assert.equal(at, world.clock.toISOString())
    assert.deepEqual(
      ledgers?.map(({ mailbox, seq }) => [mailbox, seq]),
      [['invoices', 1]],
    )
    assert.deepEqual(said, {
      type: 'case',
      v: 1,
      case: OTT,
      seq: 4,
      step: 'searched',
      ...ORDER,
      opened: { at, ...ORDER },
      state: 'open',
      queries: [{ subject: ['loan'] }],
      searched: 1,
      messages: 0,
    })
  })

  test('tells the state of every case by its last step, in the order of names', async () => {
    const world = await opened()
    await world.hold('a-case', { subject: ['x'] })
    await world.hold('tax', { subject: ['x'] })
    await world.release('tax')

    const all = await Array.fromAsync(listCases(world.archive))

    assert.deepEqual(
      all.map(({ header }) => [header.case, header.state]),
      [
        ['a-case', 'open'],
        [OTT, 'open'],
        ['tax', 'closed'],
      ],
    )
    assert.deepEqual(
      (await openCases(world.archive)).map(({ header }) => header.case),
      ['a-case', OTT],
    )
    assert.equal(await readHead('nobodys' as CaseName, world.archive), undefined)
  })

  test('is as quickly found when it is long: its last step, among many cases', async () => {
    const world = await opened()
    const { header, messages } = decodeStep(await stepOf(world, 4), '')
    for (const length of [999, 1000, 1001, 2500]) {
      const name = `case-${length}` as CaseName
      for (let seq = 1; seq <= length; seq++) {
        const step = encodeStep({ header: { ...header, case: name, seq }, messages })
        await world.memory.putOver(caseStepKey(name, seq), step)
      }
    }
    let found = 0
    const archive = {
      ...world.archive,
      find: (key: ObjectKey) => {
        found++
        return world.archive.find(key)
      },
    }

    const heads = await Array.fromAsync(listCases(archive))

    assert.deepEqual(
      heads.map((head) => head.header.seq),
      [1000, 1001, 2500, 999, 4],
    )
    assert.ok(found < 60, `${found} objects were asked for`)
  })

  test('is widened by another query and not by the same one, whatever the order of its fields', async () => {
    const world = await opened()
    const both = { subject: ['tax'], from: ['a@example.com'] }
    await world.hold(OTT, both)
    await world.hold(OTT, { from: ['a@example.com'], subject: ['tax'] })

    const { head } = await readMembers(OTT, world.archive)

    assert.deepEqual(head?.header.queries, [{ subject: ['loan'] }, both])
    assert.equal(head?.header.searched, 2)
  })
})

describe('a case that was tampered with is not believed:', () => {
  const TAMPERING: Readonly<Record<string, (world: CustodyWorld) => Promise<void>>> = {
    'a step that is missing': async ({ memory }) => {
      memory.objects.delete(caseStepKey(OTT, 2))
    },
    'a step that was rewritten': async (world) => {
      const { header, messages } = decodeStep(await stepOf(world, 3), '')
      const other = encodeStep({ header: { ...header, by: 'Mallory' }, messages })
      await world.memory.putOver(caseStepKey(OTT, 3), other)
    },
    'steps that changed places': async (world) => {
      const second = await stepOf(world, 2)
      await world.memory.putOver(caseStepKey(OTT, 2), await stepOf(world, 3))
      await world.memory.putOver(caseStepKey(OTT, 3), second)
    },
    'a step that lost a message': async (world) => {
      const [header = ''] = (await stepOf(world, 3)).toString().split('\n')
      await world.memory.putOver(caseStepKey(OTT, 3), Buffer.from(`${header}\n`))
    },
    'a step that was cut': async (world) => {
      await world.memory.putOver(caseStepKey(OTT, 3), (await stepOf(world, 3)).subarray(0, -1))
    },
    'a step that is not JSON': async ({ memory }) => {
      await memory.putOver(caseStepKey(OTT, 3), Buffer.from('{"type":\n'))
    },
    'a step of another case': async (world) => {
      await world.hold('tax', { subject: ['x'] })
      const { body } = await world.archive.get(caseStepKey('tax' as CaseName, 1))
      await world.memory.putOver(caseStepKey(OTT, 3), Buffer.concat(await body.toArray()))
    },
    'a step that is too long to be one': async ({ memory }) => {
      await memory.putOver(caseStepKey(OTT, 3), Buffer.alloc(9 * 1024 * 1024, ' '))
    },
  }
  for (const [name, tamper] of Object.entries(TAMPERING))
    test(name, async () => {
      const world = await opened()
      await tamper(world)

      await assert.rejects(readMembers(OTT, world.archive), isCode('CASE_CORRUPT'))
      await assert.rejects(world.release(OTT), isCode('CASE_CORRUPT'))
      assert.equal(await world.isHeld(message('loan')), true)
    })
})

test('keys of steps are parsed as they are built, and nothing else is one', () => {
  assert.deepEqual(parseCaseStepKey(caseStepKey(OTT, 17)), { name: OTT, seq: 17 })
  for (const key of [
    'evidence/cases/ott/17.ndjson',
    'evidence/cases/ott/0000000000.ndjson',
    'evidence/cases/Ott/0000000001.ndjson',
    'evidence/cases/0000000001.ndjson',
    'ledger/ott/0000000001.ndjson',
  ])
    assert.equal(parseCaseStepKey(key), undefined, key)
  assert.throws(() => caseStepKey(OTT, 0), RangeError)
})
