import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { RELAY_HEALTH_PORT } from '../../shared/contract/idle-relay.ts'
import { RELAY, SUSPENSION } from '../../shared/limits.ts'

const MINUTE = 60_000
const SECOND = 1_000

test('docs/relay.md states the bounds of limits.ts', () => {
  const text = readFileSync(new URL('../../docs/relay.md', import.meta.url), 'utf8')
  const { renewMs, replyMs, closingMs, windowMs, floodWindowMs } = RELAY
  const bounds = [
    `within ${(renewMs + replyMs) / MINUTE} minutes: NOOP every ${renewMs / MINUTE} minutes, answered within ${replyMs / SECOND} s`,
    `after ${RELAY.checkMs / MINUTE} minutes, by chance a fifth`,
    `at most ${MINUTE / RELAY.reconnectLeastMs} log-ins in any minute`,
    `${RELAY.logInsAtOnce} at the same time, ${RELAY.logInsAtOncePerHost} to one host, one in ${RELAY.logInGapMs} ms`,
    `for ${SUSPENSION.firstPauseMs / MINUTE} minutes, doubled to ${SUSPENSION.longestPauseMs / 60 / MINUTE} hours`,
    `| ${RELAY.connections}, or what \`limits.connections\` leaves`,
    `${RELAY.sessionLeastLeftMs / MINUTE} to ${RELAY.sessionMostLeftMs / MINUTE} minutes before the token ends`,
    `one in ${windowMs / SECOND} s, after a minute one in ${floodWindowMs / SECOND} s`,
    `after ${closingMs / SECOND} s is dropped`,
    `port ${RELAY_HEALTH_PORT} within the container`,
  ]
  assert.deepEqual(
    bounds.filter((bound) => !text.includes(bound)),
    [],
  )
})
