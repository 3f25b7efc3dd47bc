import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import {
  type DrainRequest,
  encodeDrainRequest,
  encodeProbeRequest,
  type ProbeRequest,
  parseDrainRequest,
  parseProbeRequest,
  parseTick,
  TICK_INPUT,
} from '../../shared/contract/messages.ts'

const DRAIN: DrainRequest = { v: 1, mailbox: mailboxId('invoices'), reason: 'probe' }
const PROBE: ProbeRequest = { v: 1, mailboxes: [mailboxId('invoices'), mailboxId('orders')] }

describe('a request to drain', () => {
  for (const reason of ['probe', 'idle', 'continuation', 'operator'] as const)
    test(`of the ${reason} is read as it was written`, () => {
      const request: DrainRequest = { ...DRAIN, reason }
      assert.deepEqual(parseDrainRequest(encodeDrainRequest(request)), request)
    })

  for (const [what, body] of Object.entries({
    'of another version': { ...DRAIN, v: 2 },
    'without a version': { ...DRAIN, v: undefined },
    'without a mailbox': { ...DRAIN, mailbox: undefined },
    'of a mailbox that could not be': { ...DRAIN, mailbox: '../invoices' },
    'of two mailboxes': { ...DRAIN, mailbox: ['invoices', 'orders'] },
    'for no known reason': { ...DRAIN, reason: 'boredom' },
    'with more than it should have': { ...DRAIN, force: true },
    'to probe': PROBE,
    'that is null': null,
  }))
    test(`${what} is refused`, () => {
      assert.throws(() => parseDrainRequest(JSON.stringify(body)), { name: 'ZodError' })
    })

  test('that is no JSON is refused', () => {
    assert.throws(() => parseDrainRequest('invoices'), SyntaxError)
  })
})

describe('a request to probe', () => {
  test('is read as it was written', () => {
    assert.deepEqual(parseProbeRequest(encodeProbeRequest(PROBE)), PROBE)
  })

  for (const [what, body] of Object.entries({
    'of another version': { ...PROBE, v: 2 },
    'of no mailbox': { ...PROBE, mailboxes: [] },
    'of a mailbox that could not be': { ...PROBE, mailboxes: ['invoices', ''] },
    'with more than it should have': { ...PROBE, reason: 'probe' },
    'to drain': DRAIN,
  }))
    test(`${what} is refused`, () => {
      assert.throws(() => parseProbeRequest(JSON.stringify(body)), { name: 'ZodError' })
    })
})

describe('a tick', () => {
  test('has the time that the schedule filled in', () => {
    const input = { ...TICK_INPUT, scheduledAt: '2026-03-01T12:00:00Z' }
    assert.deepEqual(parseTick(input).scheduledAt, new Date('2026-03-01T12:00:00Z'))
  })

  for (const input of [{}, null, undefined])
    test(`by hand (${JSON.stringify(input)}) has none`, () => {
      assert.equal(parseTick(input).scheduledAt, undefined)
    })

  test('whose time the schedule did not fill in is refused', () => {
    assert.throws(() => parseTick(TICK_INPUT), { name: 'ZodError' })
  })

  test('of another version is refused', () => {
    assert.throws(() => parseTick({ v: 2 }), { name: 'ZodError' })
  })
})
