import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { watchLimitsOf } from '../../functions/relay-access.ts'
import { RELAY } from '../../shared/limits.ts'
import { mailboxConfig } from '../support/drain-world.ts'

describe('the relay keeps to what the provider of a mailbox allows', () => {
  const cases = [
    [15, RELAY.connections],
    [5, 3],
    [3, 1],
    [1, 1],
  ] as const
  for (const [allowed, relay] of cases)
    test(`of ${allowed} connections it takes ${relay}, for a drain and a probe need one each`, () => {
      const { connections } = watchLimitsOf(mailboxConfig({ limits: { connections: allowed } }))
      assert.equal(connections, relay)
    })

  test('a canary has a connection of its own, too', () => {
    const limits = { connections: 5 }
    const settings = { protocol: 'imap', idle: true, canary: { folder: 'INBOX' }, limits }
    assert.equal(watchLimitsOf(mailboxConfig(settings)).connections, 2)
  })

  test('and takes its own number where nobody knows', () => {
    assert.deepEqual(watchLimitsOf(mailboxConfig({})), {})
  })

  test('IDLE is renewed as the provider wants it, where that is sooner', () => {
    assert.equal(watchLimitsOf(mailboxConfig({ limits: { idleRenewal: '2m' } })).renewMs, 120_000)
  })
})
