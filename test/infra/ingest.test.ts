import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FUNCTIONS, type FunctionName } from '../../shared/contract/functions.ts'
import { TICK_INPUT } from '../../shared/contract/messages.ts'
import { AUTHENTICATION, DRAIN, LAMBDA } from '../../shared/limits.ts'
import { administrator, isAllowed } from '../support/iam.ts'
import { templates, yaml } from '../support/stacks.ts'
import { ACCOUNT, type Policy, REGION, type Resource, type Templates } from '../support/templates.ts'

const VERIFIED = 'authentication: { queue: default }'
const world = templates(yaml({ more: VERIFIED }))

type Properties = Readonly<Record<string, unknown>>

const QUEUES = world.ofType('AWS::SQS::Queue')
const queueOf = (from: Templates, prefix: string): readonly [string, Resource] =>
  from.one('AWS::SQS::Queue', prefix)

function functionOf(from: Templates, name: FunctionName): readonly [string, Properties] {
  const [id, { Properties }] = from.one('AWS::Lambda::Function', `MailIngest${name.replaceAll('-', '')}`)
  return [id, Properties]
}

function mappingOf(name: FunctionName): Properties {
  const [id] = functionOf(world, name)
  const found = world
    .ofType('AWS::Lambda::EventSourceMapping')
    .filter(([, { Properties }]) => Properties.FunctionName === id)
  assert.equal(found.length, 1)
  return found[0]?.[1].Properties ?? {}
}

const NAMES = Object.keys(FUNCTIONS) as FunctionName[]

test('every queue has a dead-letter queue, and a queue that has none is one', () => {
  const dead = new Set<unknown>()
  for (const [id, { Properties }] of QUEUES) {
    const redrive = Properties.RedrivePolicy as
      | { deadLetterTargetArn: string; maxReceiveCount: number }
      | undefined
    if (!redrive) continue
    assert.ok(redrive.maxReceiveCount >= 3 && redrive.maxReceiveCount <= 5, id)
    dead.add(redrive.deadLetterTargetArn)
  }
  // What the schedule could not deliver.
  dead.add(world.arnOf(queueOf(world, 'MailIngestScheduleDeadLetters')[0]))
  const without = QUEUES.filter(([, { Properties }]) => !Properties.RedrivePolicy).map(([id]) =>
    world.arnOf(id),
  )
  assert.deepEqual(new Set(without), dead)
  assert.equal(QUEUES.length, 2 * 7 + 1)
})

test('a FIFO queue has a FIFO dead-letter queue, and a standard one a standard one', () => {
  for (const [id, { Properties }] of QUEUES) {
    const { deadLetterTargetArn: dead } = (Properties.RedrivePolicy ?? {}) as { deadLetterTargetArn?: string }
    if (dead !== undefined) assert.equal(dead.endsWith('.fifo'), Properties.FifoQueue === true, id)
  }
})

test('dead letters are kept as long as SQS can', () => {
  for (const [id, { Properties }] of QUEUES)
    if (!Properties.RedrivePolicy) assert.equal(Properties.MessageRetentionPeriod, 14 * 24 * 3600, id)
})

test('every queue is encrypted and refuses requests without TLS, whoever sends', async () => {
  for (const [id, { Properties }] of QUEUES) {
    assert.equal(Properties.SqsManagedSseEnabled, true, id)
    const policy = world
      .ofType('AWS::SQS::QueuePolicy')
      .find(([, { Properties: it }]) => (it.Queues as string[]).includes(world.nameOf(id)))?.[1].Properties
      .PolicyDocument as Policy
    const call = { action: 'sqs:SendMessage', resource: world.arnOf(id) }
    assert.equal(await isAllowed(administrator(), call, policy), true, id)
    const clear = { ...call, context: { 'aws:SecureTransport': 'false' } }
    assert.equal(await isAllowed(administrator(), clear, policy), false, id)
  }
})

describe('event queues', () => {
  test('are named as in mailsluice.yaml, standard or FIFO by their name', () => {
    const named = QUEUES.filter(([id]) => id.includes('Events')).map(([, { Properties }]) => [
      Properties.QueueName,
      Properties.FifoQueue ?? false,
    ])
    assert.deepEqual(named.sort(), [
      ['invoice-events', false],
      ['invoice-events-dead-letters', false],
      ['mail-events', false],
      ['mail-events-dead-letters', false],
      ['ticket-events-dead-letters.fifo', true],
      ['ticket-events.fifo', true],
    ])
  })

  test('that exist already are not made; the drain may send to them by their ARN', async () => {
    const imported = templates(
      yaml({
        queues: [
          'arn: "arn:aws:sqs:eu-west-1:444455556666:theirs"',
          'url: "https://sqs.us-east-1.amazonaws.com/444455556666/others.fifo"',
          'twice: mail-events',
        ].join('\n'),
        more: VERIFIED,
      }),
    )
    assert.equal(imported.ofType('AWS::SQS::Queue').length, QUEUES.length)
    const [drain] = imported.one('AWS::IAM::Role', 'MailIngestdrainmailbox')
    const statements = imported.policiesOf(drain).flatMap(({ Statement }) => Statement)
    const targets = statements.find(({ Sid }) => Sid === 'AnnounceAndContinue')?.Resource
    assert.deepEqual(
      (targets as string[]).filter((arn) => !arn.includes(ACCOUNT)),
      ['arn:aws:sqs:eu-west-1:444455556666:theirs', 'arn:aws:sqs:us-east-1:444455556666:others.fifo'],
    )
  })
})

test('every FIFO queue has a name that says so: SQS takes no other', () => {
  for (const [id, { Properties }] of QUEUES)
    if (Properties.FifoQueue) assert.match(String(Properties.QueueName), /^[a-z-]{1,75}\.fifo$/, id)
})

describe('drain requests', () => {
  const { Properties: queue } = queueOf(world, 'MailIngestDrainRequestsQueue')[1]

  test('are FIFO at high throughput, one group for each mailbox', () => {
    assert.equal(queue.FifoQueue, true)
    assert.equal(queue.FifoThroughputLimit, 'perMessageGroupId')
    assert.equal(queue.DeduplicationScope, 'messageGroup')
  })

  test('are not the same by their content, or a second wake-up of a mailbox would vanish', () => {
    assert.ok(!queue.ContentBasedDeduplication)
  })
})

describe('each function', () => {
  for (const name of NAMES) {
    const [, properties] = functionOf(world, name)

    test(`${name} runs the bundle on Node 24 and arm64, and its stack traces name sources`, () => {
      assert.equal(properties.Runtime, 'nodejs24.x')
      assert.deepEqual(properties.Architectures, ['arm64'])
      assert.equal(properties.Handler, 'index.handler')
      assert.equal(
        (properties.Environment as { Variables: Properties }).Variables.NODE_OPTIONS,
        '--enable-source-maps',
      )
    })

    test(`${name} has the timeout that it counts on`, () => {
      assert.equal(properties.Timeout, FUNCTIONS[name].timeoutSeconds)
    })

    test(`${name} writes JSON to a log of its own that ends after 90 days`, () => {
      const logging = properties.LoggingConfig as { LogFormat: string; LogGroup: string }
      assert.equal(logging.LogFormat, 'JSON')
      const log = world.ofType('AWS::Logs::LogGroup').find(([id]) => id === logging.LogGroup)?.[1].Properties
      assert.equal(log?.RetentionInDays, 90)
      assert.ok(log?.KmsKeyId)
    })

    test(`${name} leaves the account’s concurrency alone unless told otherwise`, () => {
      assert.equal(properties.ReservedConcurrentExecutions, undefined)
    })
  }
})

test('a slice of a drain ends well before its function times out', () => {
  assert.ok(FUNCTIONS['drain-mailbox'].timeoutSeconds * 1000 >= LAMBDA.sliceMs + DRAIN.closingMs + 60_000)
  assert.ok(FUNCTIONS['probe-mailboxes'].timeoutSeconds * 1000 >= LAMBDA.probeMs + 30_000)
})

test('a request is seen again after six times the timeout of the function that takes it', () => {
  const takers = {
    DrainRequests: 'drain-mailbox',
    ProbeRequests: 'probe-mailboxes',
    SegmentsToVerifyRequests: 'verify-authentication',
  } as const
  for (const [queue, name] of Object.entries(takers))
    assert.equal(
      queueOf(world, `MailIngest${queue}Queue`)[1].Properties.VisibilityTimeout,
      6 * FUNCTIONS[name].timeoutSeconds,
    )
})

test('what DNS does not answer is verified once more before it is given up, and the last of three tries gives it up', () => {
  const pauseMs = 6 * FUNCTIONS['verify-authentication'].timeoutSeconds * 1000
  assert.ok(pauseMs < AUTHENTICATION.retryMs)
  assert.ok(2 * pauseMs > AUTHENTICATION.retryMs)
})

test('a request that fails comes back alone, and no more run at once than was said', () => {
  const expected = { 'drain-mailbox': 20, 'probe-mailboxes': 10 } as const
  for (const [name, atOnce] of Object.entries(expected)) {
    const mapping = mappingOf(name as FunctionName)
    assert.deepEqual(mapping.FunctionResponseTypes, ['ReportBatchItemFailures'])
    assert.deepEqual(mapping.ScalingConfig, { MaximumConcurrency: atOnce })
    assert.equal(mapping.BatchSize, 1)
  }
})

test('concurrency is reserved when that is asked for', () => {
  const reserved = templates(yaml({ aws: 'drains: { atOnce: 7, reserved: true }' }))
  assert.equal(functionOf(reserved, 'drain-mailbox')[1].ReservedConcurrentExecutions, 7)
  assert.equal(functionOf(reserved, 'probe-mailboxes')[1].ReservedConcurrentExecutions, 10)
})

test('the functions are told the names of what was deployed', () => {
  const variables = (name: FunctionName): Properties =>
    (functionOf(world, name)[1].Environment as { Variables: Properties }).Variables
  const archive = world.nameOf(world.one('AWS::S3::Bucket', 'MailArchiveMail')[0])
  const state = world.nameOf(world.one('AWS::S3::Bucket', 'MailArchiveState')[0])
  const drains = world.nameOf(queueOf(world, 'MailIngestDrainRequestsQueue')[0])
  const node = { NODE_OPTIONS: '--enable-source-maps', DEPLOYMENT: 'mailsluice' }
  const mailbox = { ...node, ARCHIVE_BUCKET: archive, STATE_BUCKET: state, DRAIN_QUEUE_URL: drains }
  const derived = world.nameOf(world.one('AWS::S3::Bucket', 'MailArchiveDerived')[0])
  assert.deepEqual(variables('drain-mailbox'), { ...mailbox, DERIVED_BUCKET: derived })
  assert.deepEqual(variables('probe-mailboxes'), mailbox)
  assert.deepEqual(variables('schedule-drains'), {
    ...node,
    STATE_BUCKET: state,
    PROBE_QUEUE_URL: world.nameOf(queueOf(world, 'MailIngestProbeRequestsQueue')[0]),
    TICK_SECONDS: '60',
  })
})

test('ledgers are sealed once a day, by the key of the archive, and what fails is kept', () => {
  const [, { Properties }] = world.one('AWS::Scheduler::Schedule', 'MailIngestSealSchedule')
  const [id, { Environment, DeadLetterConfig }] = functionOf(world, 'seal-ledgers')
  const { Variables } = Environment as { Variables: Properties }
  assert.equal(Properties.ScheduleExpression, 'rate(1 day)')
  assert.equal((Properties.Target as Properties).Arn, world.arnOf(id))
  assert.equal(Variables.SEAL_KEY, world.arnOf(world.one('AWS::KMS::Key', 'MailArchiveSealKey')[0]))
  assert.deepEqual(DeadLetterConfig, {
    TargetArn: world.arnOf(queueOf(world, 'MailIngestScheduleDeadLetters')[0]),
  })
})

describe('the schedule', () => {
  const [, { Properties: schedule }] = world.one('AWS::Scheduler::Schedule', 'MailIngestSchedule')
  const target = schedule.Target as Properties

  test('calls schedule-drains every minute, within a window, with the time that the tick is meant for', () => {
    assert.equal(schedule.ScheduleExpression, 'rate(1 minute)')
    assert.deepEqual(schedule.FlexibleTimeWindow, { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 1 })
    assert.equal(target.Arn, world.arnOf(functionOf(world, 'schedule-drains')[0]))
    assert.deepEqual(JSON.parse(target.Input as string), TICK_INPUT)
  })

  test('keeps what it cannot deliver, after a few tries and not for a day', () => {
    assert.deepEqual(target.DeadLetterConfig, {
      Arn: world.arnOf(queueOf(world, 'MailIngestScheduleDeadLetters')[0]),
    })
    assert.deepEqual(target.RetryPolicy, { MaximumEventAgeInSeconds: 300, MaximumRetryAttempts: 3 })
  })

  test('keeps what schedule-drains failed with, too', () => {
    assert.deepEqual(functionOf(world, 'schedule-drains')[1].DeadLetterConfig, {
      TargetArn: world.arnOf(queueOf(world, 'MailIngestScheduleDeadLetters')[0]),
    })
  })

  test('is trusted for its own group alone', () => {
    const [, { Properties: role }] = world.one('AWS::IAM::Role', 'MailIngestScheduleRole')
    const { Statement } = role.AssumeRolePolicyDocument as { Statement: readonly { Condition: Properties }[] }
    const [group] = world.one('AWS::Scheduler::ScheduleGroup', 'MailIngestSchedule')
    assert.deepEqual(Statement[0]?.Condition, {
      StringEquals: {
        'aws:SourceAccount': ACCOUNT,
        'aws:SourceArn': `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule-group/${world.nameOf(group)}`,
      },
    })
  })
})

describe('one address for everything', () => {
  const fixed = templates(yaml({ aws: 'network: { staticAddress: true }', more: VERIFIED }))

  test('is one NAT gateway’s, and stays when the stack goes', () => {
    const [id, { DeletionPolicy }] = fixed.one('AWS::EC2::EIP', '')
    const [, { Properties: gateway }] = fixed.one('AWS::EC2::NatGateway', '')
    assert.equal(DeletionPolicy, 'Retain')
    assert.equal(gateway.AllocationId, id)
    for (const name of NAMES) assert.ok(functionOf(fixed, name)[1].VpcConfig, name)
  })

  test('lets nothing in, and out to AWS and the ports of the mail servers alone', () => {
    const [, { Properties: group }] = fixed.one('AWS::EC2::SecurityGroup', '')
    assert.equal(group.SecurityGroupIngress, undefined)
    const ports = (group.SecurityGroupEgress as { FromPort: number; ToPort: number }[]).map(
      ({ FromPort, ToPort }) => [FromPort, ToPort],
    )
    assert.deepEqual(ports, [
      [443, 443],
      [993, 993],
      [995, 995],
    ])
  })

  test('is not had by default: functions without a network cost nothing', () => {
    assert.deepEqual(world.ofType('AWS::EC2::VPC'), [])
  })
})
