import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  readDrainMailboxEnvironment,
  readIdleRelayEnvironment,
  readProbeMailboxesEnvironment,
  readScheduleDrainsEnvironment,
} from '../../shared/contract/environment.ts'

const SCHEDULE = {
  DEPLOYMENT: 'mailsluice',
  STATE_BUCKET: 'acme-mail-state',
  PROBE_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/probe-requests',
  TICK_SECONDS: '60',
}
const DRAIN = {
  DEPLOYMENT: 'mailsluice',
  STATE_BUCKET: 'acme-mail-state',
  ARCHIVE_BUCKET: 'acme-mail-archive',
  DERIVED_BUCKET: 'acme-mail-derived',
  DRAIN_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/drain-requests.fifo',
}
const RELAY = { ...DRAIN, HEALTH_PORT: '8790', HEARTBEAT_FILE: '/tmp/alive' }

function problemsOf(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof TypeError)
    return error.message
  }
  return 'none'
}

describe('the environment of a function', () => {
  test('is read as the stack set it', () => {
    assert.deepEqual(readScheduleDrainsEnvironment(SCHEDULE), {
      deployment: 'mailsluice',
      stateBucket: 'acme-mail-state',
      probeQueueUrl: SCHEDULE.PROBE_QUEUE_URL,
      tickMs: 60_000,
    })
    const expected = {
      deployment: 'mailsluice',
      stateBucket: 'acme-mail-state',
      archiveBucket: 'acme-mail-archive',
      drainQueueUrl: DRAIN.DRAIN_QUEUE_URL,
    }
    assert.deepEqual(readProbeMailboxesEnvironment(DRAIN), expected)
    assert.deepEqual(readDrainMailboxEnvironment(DRAIN), { ...expected, derivedBucket: 'acme-mail-derived' })
  })

  test('may name queues of an emulator', () => {
    const url = 'http://127.0.0.1:4566/000000000000/drain-requests.fifo'
    assert.equal(readDrainMailboxEnvironment({ ...DRAIN, DRAIN_QUEUE_URL: url }).drainQueueUrl, url)
  })

  test('that lacks something is refused with all that is missing', () => {
    assert.equal(
      problemsOf(() => readScheduleDrainsEnvironment({})),
      'the environment: DEPLOYMENT: missing; expected the name of a stack: lower-case letters, digits, hyphens; ' +
        'STATE_BUCKET: missing; expected the name of an S3 bucket; ' +
        'PROBE_QUEUE_URL: missing; expected the URL of an SQS queue; ' +
        'TICK_SECONDS: missing; expected a whole number from 60 to 3600',
    )
  })

  test('that has something empty is refused in other words than one that lacks it', () => {
    assert.equal(
      problemsOf(() => readDrainMailboxEnvironment({ ...DRAIN, ARCHIVE_BUCKET: '' })),
      'the environment: ARCHIVE_BUCKET: empty; expected the name of an S3 bucket',
    )
  })

  for (const [name, value] of [
    ['DEPLOYMENT', 'Mailsluice Production'],
    ['STATE_BUCKET', 's3://acme-mail-state'],
    ['ARCHIVE_BUCKET', 'Acme_Archive'],
    ['DERIVED_BUCKET', 'Acme_Derived'],
    ['DRAIN_QUEUE_URL', 'drain-requests.fifo'],
    // FIFO is what keeps two drains of one mailbox apart.
    ['DRAIN_QUEUE_URL', 'https://sqs.eu-central-1.amazonaws.com/123456789012/drain-requests'],
  ] as const)
    test(`whose ${name} is ${value} is refused by name`, () => {
      const problems = problemsOf(() => readDrainMailboxEnvironment({ ...DRAIN, [name]: value }))
      assert.ok(problems.startsWith(`the environment: ${name}: ${value} is not `), problems)
    })

  for (const seconds of ['0', '59', '3601', '60.5', '-60', '1e3', '0x3c', ' 60', 'a minute'])
    test(`whose TICK_SECONDS is ${JSON.stringify(seconds)} is refused`, () => {
      const problems = problemsOf(() => readScheduleDrainsEnvironment({ ...SCHEDULE, TICK_SECONDS: seconds }))
      assert.equal(
        problems,
        `the environment: TICK_SECONDS: ${seconds} is not a whole number from 60 to 3600`,
      )
    })

  test('of a shard of the relay is read, and its number is one of those that there are', () => {
    const read = (index: string, count: string) =>
      readIdleRelayEnvironment({ ...RELAY, SHARD_INDEX: index, SHARD_COUNT: count })

    assert.deepEqual(read('5', '6').shard, { index: 5, count: 6 })
    assert.deepEqual(read('0', '1').shard, { index: 0, count: 1 })
    assert.match(
      problemsOf(() => read('6', '6')),
      /SHARD_INDEX: 6 is not a whole number from 0 to 5$/,
    )
    assert.match(
      problemsOf(() => read('0', '0')),
      /SHARD_COUNT: 0 is not a whole number from 1 to 1000/,
    )
  })

  test('of the relay says where it shows that it lives', () => {
    const read = (changes: object) =>
      readIdleRelayEnvironment({ ...RELAY, SHARD_INDEX: '0', SHARD_COUNT: '1', ...changes })

    const { healthPort, heartbeatFile } = read({})
    assert.deepEqual({ healthPort, heartbeatFile }, { healthPort: 8790, heartbeatFile: '/tmp/alive' })
    assert.match(
      problemsOf(() => read({ HEALTH_PORT: '70000', HEARTBEAT_FILE: 'alive' })),
      /HEALTH_PORT: 70000 is not a whole number from 0 to 65535; HEARTBEAT_FILE: alive is not an absolute path$/,
    )
  })

  test('cannot be changed once it is read', () => {
    assert.ok(Object.isFrozen(readDrainMailboxEnvironment(DRAIN)))
    assert.ok(Object.isFrozen(readScheduleDrainsEnvironment(SCHEDULE)))
  })
})
