import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { RELAY_HEARTBEAT, RELAY_STOP_SECONDS } from '../../shared/contract/idle-relay.ts'
import { RELAY } from '../../shared/limits.ts'
import { templates, yaml } from '../support/stacks.ts'
import { listOf, type Templates } from '../support/templates.ts'

const world = templates(yaml(), { relay: { shards: 3 } })
const behindNat = templates(yaml({ aws: 'network: { staticAddress: true }' }), { relay: {} })

type Properties = Readonly<Record<string, unknown>>

const servicesOf = (from: Templates): Properties[] =>
  from.ofType('AWS::ECS::Service').map(([, { Properties }]) => Properties)
const tasksOf = (from: Templates): Properties[] =>
  from.ofType('AWS::ECS::TaskDefinition').map(([, { Properties }]) => Properties)

interface Container {
  readonly Environment: readonly { readonly Name: string; readonly Value: string }[]
  readonly HealthCheck: { readonly Command: readonly string[] }
  readonly StopTimeout: number
  readonly ReadonlyRootFilesystem: boolean
  readonly LinuxParameters: { readonly InitProcessEnabled: boolean }
}

const containersOf = (from: Templates): Container[] =>
  tasksOf(from).flatMap(({ ContainerDefinitions }) => ContainerDefinitions as Container[])

function environmentOf({ Environment }: Container): Record<string, string> {
  return Object.fromEntries(Environment.map(({ Name, Value }) => [Name, Value]))
}

test('the mailboxes are shared by as many tasks as were asked for, each told its share', () => {
  assert.equal(servicesOf(world).length, 3)
  assert.deepEqual(
    containersOf(world).map((container) => {
      const { SHARD_INDEX, SHARD_COUNT } = environmentOf(container)
      return `${SHARD_INDEX} of ${SHARD_COUNT}`
    }),
    ['0 of 3', '1 of 3', '2 of 3'],
  )
})

test('no two tasks of a shard run at the same time, also while one is replaced', () => {
  for (const { DesiredCount, DeploymentConfiguration } of servicesOf(world)) {
    assert.equal(DesiredCount, 1)
    const { MaximumPercent, MinimumHealthyPercent } = DeploymentConfiguration as Properties
    assert.deepEqual([MinimumHealthyPercent, MaximumPercent], [0, 100])
  }
})

test('a deployment that does not come up is taken back', () => {
  for (const { DeploymentConfiguration } of servicesOf(world))
    assert.deepEqual((DeploymentConfiguration as Properties).DeploymentCircuitBreaker, {
      Enable: true,
      Rollback: true,
    })
})

test('runs on arm64, with a file system that it cannot write to but for /tmp', () => {
  for (const { RuntimePlatform } of tasksOf(world))
    assert.deepEqual(RuntimePlatform, { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' })
  for (const { ReadonlyRootFilesystem } of containersOf(world)) assert.equal(ReadonlyRootFilesystem, true)
  assert.ok(RELAY_HEARTBEAT.file.startsWith('/tmp/'))
})

test('is asked to stop, and has the time to sign out everywhere', () => {
  for (const { StopTimeout, LinuxParameters } of containersOf(world)) {
    assert.equal(StopTimeout, RELAY_STOP_SECONDS)
    assert.ok(StopTimeout * 1000 > RELAY.closingMs)
    assert.equal(LinuxParameters.InitProcessEnabled, true)
  }
})

test('is replaced when its heartbeat is old, or was never there', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-heartbeat-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const [container] = containersOf(world)
  assert.ok(container)
  assert.equal(environmentOf(container).HEARTBEAT_FILE, RELAY_HEARTBEAT.file)
  const [form, program, ...command] = container.HealthCheck.Command
  assert.deepEqual([form, program, command.pop()], ['CMD', 'node', RELAY_HEARTBEAT.file])
  const file = join(folder, 'alive')
  const healthy = (): boolean => spawnSync(process.execPath, [...command, file]).status === 0

  assert.equal(healthy(), false)
  writeFileSync(file, '')
  assert.equal(healthy(), true)
  const old = Date.now() / 1000 - RELAY_HEARTBEAT.staleSeconds - 1
  utimesSync(file, old, old)
  assert.equal(healthy(), false)
})

describe('its network', () => {
  test('is of its own, with an address for each task and no NAT gateway that cuts idle connections', () => {
    assert.deepEqual(world.ofType('AWS::EC2::NatGateway'), [])
    for (const { NetworkConfiguration } of servicesOf(world))
      assert.equal(
        (NetworkConfiguration as { AwsvpcConfiguration: Properties }).AwsvpcConfiguration.AssignPublicIp,
        'ENABLED',
      )
  })

  test('is that of the functions when everything leaves by one address', () => {
    assert.equal(behindNat.ofType('AWS::EC2::VPC').length, 1)
    for (const { NetworkConfiguration } of servicesOf(behindNat))
      assert.equal(
        (NetworkConfiguration as { AwsvpcConfiguration: Properties }).AwsvpcConfiguration.AssignPublicIp,
        'DISABLED',
      )
  })

  test('lets nothing in', () => {
    for (const from of [world, behindNat])
      for (const [id, { Properties }] of from.ofType('AWS::EC2::SecurityGroup'))
        assert.equal(Properties.SecurityGroupIngress, undefined, id)
    assert.deepEqual(world.ofType('AWS::EC2::SecurityGroupIngress'), [])
  })
})

test('only wakes: it reads neither mail nor ledgers, and writes nothing but suspensions', () => {
  const [role] = world.one('AWS::IAM::Role', 'MailIngestRelayRole')
  const statements = world.policiesOf(role).flatMap(({ Statement }) => Statement)
  assert.deepEqual([...new Set(statements.flatMap(({ Action }) => listOf(Action)))].sort(), [
    'kms:Decrypt',
    'kms:GenerateDataKey',
    's3:GetObject',
    's3:ListBucket',
    's3:PutObject',
    'secretsmanager:GetSecretValue',
    'sqs:GetQueueUrl',
    'sqs:SendMessage',
    'ssm:GetParameter',
  ])
  const mail = world.arnOf(world.one('AWS::S3::Bucket', 'MailArchiveMail')[0])
  for (const { Resource } of statements)
    for (const resource of listOf(Resource)) assert.ok(!resource.startsWith(mail), resource)
  const puts = statements.filter(({ Action }) => listOf(Action).includes('s3:PutObject'))
  const state = world.arnOf(world.one('AWS::S3::Bucket', 'MailArchiveState')[0])
  assert.deepEqual(
    puts.flatMap(({ Resource }) => listOf(Resource)),
    [`${state}/suspensions/*`],
  )
})

test('follows a canary through the ledger of its mailbox, and reads neither mail nor other ledgers', () => {
  const mailbox =
    '- { id: watched, protocol: imap, host: imap.example.com, user: c, credential: "ssm:/c", idle: true, canary: { folder: INBOX } }'
  const followed = templates(yaml({ mailboxes: mailbox }), { relay: {} })
  const [role] = followed.one('AWS::IAM::Role', 'MailIngestRelayRole')
  const mail = followed.arnOf(followed.one('AWS::S3::Bucket', 'MailArchiveMail')[0])
  const ofMail = followed
    .policiesOf(role)
    .flatMap(({ Statement }) => Statement)
    .flatMap(({ Action, Resource }) =>
      listOf(Resource)
        .filter((resource) => resource.startsWith(mail))
        .map((resource) => `${listOf(Action).join(' ')} ${resource.slice(mail.length)}`),
    )
  assert.deepEqual(ofMail.sort(), ['s3:GetObject /ledger/watched/*', 's3:ListBucket '])
})

test('mailboxes without a connection raise an alarm, and canaries that are lost where there are any', () => {
  const mailbox =
    '- { id: watched, protocol: imap, host: imap.example.com, user: c, credential: "ssm:/c", idle: true, canary: { folder: INBOX } }'
  const namesOf = (from: Templates): unknown[] =>
    from
      .ofType('AWS::CloudWatch::Alarm')
      .map(([, { Properties }]) => Properties.AlarmName)
      .filter((name) => /relay-unwatched|canary-lost/.test(String(name)))
  assert.deepEqual(namesOf(world), ['mailsluice-relay-unwatched'])
  assert.deepEqual(namesOf(templates(yaml({ mailboxes: mailbox }), { relay: {} })).sort(), [
    'mailsluice-canary-lost',
    'mailsluice-relay-unwatched',
  ])
  for (const [, { Properties }] of world.ofType('AWS::CloudWatch::Alarm'))
    if (Properties.AlarmName === 'mailsluice-relay-unwatched')
      assert.deepEqual(Properties.Dimensions, [
        { Name: 'function', Value: 'idle-relay' },
        { Name: 'service', Value: 'mailsluice' },
      ])
})

test('a shard that does not run raises an alarm of its own', () => {
  const alarms = world
    .ofType('AWS::CloudWatch::Alarm')
    .map(([, { Properties }]) => Properties)
    .filter(({ AlarmName }) => (AlarmName as string).includes('relay-down'))
  assert.deepEqual(
    alarms.map(({ AlarmName }) => AlarmName),
    ['mailsluice-relay-down-shard-0', 'mailsluice-relay-down-shard-1', 'mailsluice-relay-down-shard-2'],
  )
  for (const { TreatMissingData, MetricName } of alarms)
    assert.deepEqual([TreatMissingData, MetricName], ['breaching', 'RunningTaskCount'])
})

test('is not there by default', () => {
  assert.deepEqual(servicesOf(templates()), [])
})
