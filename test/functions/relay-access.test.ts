import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { watchLimitsOf } from '../../functions/relay-access.ts'
import { RELAY } from '../../shared/limits.ts'
import { watched } from '../support/relay-world.ts'

describe('the connections of the relay to one mailbox', () => {
  const connectionsOf = (connections: number, more: object = {}): number | undefined =>
    watchLimitsOf(watched({ limits: { connections }, ...more })).connections

  test('leave room for a drain and a probe, and are one at least', () => {
    assert.deepEqual(
      [5, 4, 3, 2, 1].map((connections) => connectionsOf(connections)),
      [3, 2, 1, 1, 1],
    )
  })

  test('leave room for a canary where there is one', () => {
    assert.equal(connectionsOf(5, { canary: { folder: 'INBOX' } }), 2)
  })

  test('are no more where a provider allows many, and those of the relay where it says nothing', () => {
    assert.equal(connectionsOf(100), RELAY.connections)
    assert.equal(watchLimitsOf(watched()).connections, undefined)
  })

  test('of a Gmail mailbox are six, of the 15 that Gmail allows, and its IDLE is renewed in time', () => {
    const gmail = watched({ provider: 'gmail', user: 'someone@gmail.com' })
    const { connections, renewMs = Infinity } = watchLimitsOf(gmail)
    assert.equal(gmail.limits.connections, 15)
    assert.equal(connections, 6)
    assert.ok(Math.min(renewMs, RELAY.renewMs) < 10 * 60_000)
  })
})
