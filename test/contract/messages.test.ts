import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import {
  type DrainRequest,
  type ProbeRequest,
  parseDrainRequest,
  parseProbeRequest,
} from '../../shared/contract/messages.ts'

const DRAIN: DrainRequest = { v: 1, mailbox: mailboxId('invoices'), reason: 'probe' }
const PROBE: ProbeRequest = { v: 1, mailboxes: [mailboxId('invoices'), mailboxId('orders')] }

describe('a request to drain', () => {
  for (const reason of ['probe', 'idle', 'continuation', 'operator'] as const)
    test(`of the ${reason} is read as it was written`, () => {
      const request: DrainRequest = { ...DRAIN, reason }
      assert.deepEqual(parseDrainRequest(JSON.stringify(request)), request)
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
    assert.deepEqual(parseProbeRequest(JSON.stringify(PROBE)), PROBE)
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
