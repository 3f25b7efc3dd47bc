import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { templates, yaml } from '../support/stacks.ts'
import { listOf, type Policy, type Statement, type Templates } from '../support/templates.ts'

// Least privilege, written down: whoever gives a role one action more changes this file.

const world = templates(yaml())

function actionsOf(from: Templates, prefix: string): string[] {
  const [role] = from.one('AWS::IAM::Role', prefix)
  const actions = from
    .policiesOf(role)
    .flatMap(({ Statement }) => Statement.flatMap(({ Action }) => listOf(Action)))
  return [...new Set(actions)].sort()
}

const LEDGER_READER = ['kms:Decrypt', 's3:GetObject', 's3:ListBucket']
const FUNCTION = ['logs:CreateLogStream', 'logs:PutLogEvents']
const QUEUE_CONSUMER = ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage']
const SECRET_READER = ['secretsmanager:GetSecretValue', 'ssm:GetParameter']

const ROLES: Readonly<Record<string, readonly string[]>> = {
  MailIngestscheduledrains: [...FUNCTION, 'kms:Decrypt', 's3:GetObject', 's3:ListBucket', 'sqs:SendMessage'],
  MailIngestprobemailboxes: [
    ...FUNCTION,
    ...LEDGER_READER,
    ...QUEUE_CONSUMER,
    ...SECRET_READER,
    'kms:GenerateDataKey',
    's3:PutObject',
    'sqs:GetQueueUrl',
    'sqs:SendMessage',
  ],
  MailIngestdrainmailbox: [
    ...FUNCTION,
    ...LEDGER_READER,
    ...QUEUE_CONSUMER,
    ...SECRET_READER,
    'kms:GenerateDataKey',
    's3:GetBucketObjectLockConfiguration',
    's3:GetBucketVersioning',
    's3:GetObjectRetention',
    's3:PutObject',
    'sqs:GetQueueUrl',
    'sqs:SendMessage',
  ],
  MailIngestSchedule: ['lambda:InvokeFunction', 'sqs:SendMessage'],
  MailArchiveRecordsOfficer: [
    'kms:Decrypt',
    's3:BypassGovernanceRetention',
    's3:DeleteObjectVersion',
    's3:GetBucketObjectLockConfiguration',
    's3:GetBucketVersioning',
    's3:GetObject',
    's3:GetObjectLegalHold',
    's3:GetObjectRetention',
    's3:GetObjectVersion',
    's3:ListBucket',
    's3:ListBucketVersions',
    's3:PutBucketObjectLockConfiguration',
    's3:PutObjectLegalHold',
    's3:PutObjectRetention',
  ],
}

describe('each role has exactly these actions:', () => {
  for (const [prefix, actions] of Object.entries(ROLES))
    test(prefix, () => assert.deepEqual(actionsOf(world, prefix), [...actions].sort()))
})

test('there is no other role', () => {
  const roles = world.ofType('AWS::IAM::Role').map(([id]) => id)
  const unknown = roles.filter((id) => !Object.keys(ROLES).some((prefix) => id.startsWith(prefix)))
  assert.deepEqual(unknown, [])
  assert.equal(roles.length, Object.keys(ROLES).length)
})

/** Identity and resource policies of a stack. */
function everyStatement(from: Templates): { readonly where: string; readonly statement: Statement }[] {
  return from.all.flatMap(([id, { Properties }]) =>
    [Properties.PolicyDocument, Properties.KeyPolicy]
      .filter((policy) => policy !== undefined)
      .flatMap((policy) => (policy as Policy).Statement)
      .map((statement) => ({ where: `${id} ${statement.Sid ?? ''}`, statement })),
  )
}

test('no statement that allows has an action or a resource that is *', () => {
  const everything = everyStatement(world).filter(({ where, statement: { Effect, Action, Resource } }) => {
    // In the policy of a key, * is that key and no other.
    const isKey = world.ofType('AWS::KMS::Key').some(([id]) => where.startsWith(id))
    return Effect === 'Allow' && (listOf(Action).includes('*') || (!isKey && listOf(Resource).includes('*')))
  })
  assert.deepEqual(
    everything.map(({ where }) => where),
    [],
  )
})

test('no statement that allows names actions by a wildcard but a key’s for its administrators and for CloudWatch Logs', () => {
  const named = everyStatement(world)
    .filter(({ statement: { Effect } }) => Effect === 'Allow')
    .flatMap(({ where, statement }) =>
      listOf(statement.Action)
        .filter((action) => action.includes('*'))
        .map((action) => `${where.replace(/[0-9A-F]{8} /, ' ').trim()}: ${action}`),
    )
  assert.deepEqual(named.sort(), [
    // The account's administrators decide by IAM who uses and manages the keys: what makes a key manageable at all.
    'MailArchiveKey: kms:*',
    'MailIngestOperationsKey EncryptLogs: kms:GenerateDataKey*',
    // As CloudWatch Logs asks for.
    'MailIngestOperationsKey EncryptLogs: kms:ReEncrypt*',
    'MailIngestOperationsKey: kms:*',
  ])
})

test('nothing allows by leaving out: there is no NotAction, and NotResource denies', () => {
  const leavingOut = everyStatement(world).filter(
    ({ statement: { Effect, NotAction, NotResource } }) => NotAction ?? (Effect === 'Allow' && NotResource),
  )
  assert.deepEqual(leavingOut, [])
})

test('a network of our own takes one statement with resource *, for EC2 knows no other', () => {
  const joined = templates(yaml({ aws: 'network: { staticAddress: true }' }))
  const everything = everyStatement(joined).filter(
    ({ where, statement: { Effect, Resource } }) =>
      Effect === 'Allow' && listOf(Resource).includes('*') && !where.includes('Key'),
  )
  assert.deepEqual([...new Set(everything.map(({ statement }) => statement.Sid))], ['JoinTheNetwork'])
})

describe('secrets', () => {
  const resourcesOf = (from: Templates, sid: string): readonly string[] =>
    everyStatement(from)
      .filter(({ where }) => where.startsWith('MailIngestdrainmailbox') && where.endsWith(sid))
      .flatMap(({ statement }) => listOf(statement.Resource))

  test('the functions read the parameters and secrets that mailboxes name, and no other', () => {
    assert.deepEqual(resourcesOf(world, 'ReadPasswords'), [
      'arn:aws:ssm:eu-central-1:111122223333:parameter/mailsluice/invoices',
    ])
    assert.deepEqual(resourcesOf(world, 'ReadSecrets'), [
      'arn:aws:secretsmanager:eu-central-1:111122223333:secret:support-??????',
    ])
  })

  test('schedule-drains reads none', () => {
    const [role] = world.one('AWS::IAM::Role', 'MailIngestscheduledrains')
    const statements = world.policiesOf(role).flatMap(({ Statement }) => Statement)
    for (const { Action } of statements)
      for (const action of listOf(Action)) assert.doesNotMatch(action, /^(ssm|secretsmanager):/)
  })

  test('with a prefix every parameter under it may be read, so that a new mailbox needs no deployment', () => {
    const prefixed = templates(yaml({ aws: 'parameterPrefix: /mailsluice/' }))
    assert.deepEqual(resourcesOf(prefixed, 'ReadPasswords'), [
      'arn:aws:ssm:eu-central-1:111122223333:parameter/mailsluice/*',
    ])
  })
})

describe('what the code calls is what the roles allow:', () => {
  /** Every command of the AWS SDK in the code of the functions: the action that it takes, and the roles of functions that need it. */
  const drain = 'MailIngestdrainmailbox'
  const probe = 'MailIngestprobemailboxes'
  const schedule = 'MailIngestscheduledrains'
  const COMMANDS: Readonly<Record<string, { readonly action: string; readonly roles: readonly string[] }>> = {
    GetBucketVersioningCommand: { action: 's3:GetBucketVersioning', roles: [drain] },
    GetObjectCommand: { action: 's3:GetObject', roles: [drain, probe, schedule] },
    GetObjectLockConfigurationCommand: { action: 's3:GetBucketObjectLockConfiguration', roles: [drain] },
    HeadObjectCommand: { action: 's3:GetObject', roles: [drain, probe] },
    ListObjectsV2Command: { action: 's3:ListBucket', roles: [drain, probe] },
    PutObjectCommand: { action: 's3:PutObject', roles: [drain, probe] },
    GetQueueUrlCommand: { action: 'sqs:GetQueueUrl', roles: [drain, probe] },
    SendMessageBatchCommand: { action: 'sqs:SendMessage', roles: [drain, probe, schedule] },
    GetParameterCommand: { action: 'ssm:GetParameter', roles: [drain, probe] },
    GetSecretValueCommand: { action: 'secretsmanager:GetSecretValue', roles: [drain, probe] },
    // As a consumer, and for the command line; Lambda receives and deletes for the functions.
    ReceiveMessageCommand: { action: 'sqs:ReceiveMessage', roles: [] },
    DeleteMessageCommand: { action: 'sqs:DeleteMessage', roles: [] },
    GetQueueAttributesCommand: { action: 'sqs:GetQueueAttributes', roles: [] },
    // Of the queues on one machine.
    CreateQueueCommand: { action: 'sqs:CreateQueue', roles: [] },
  }

  const shared = join(import.meta.dirname, '..', '..', 'shared')
  const commands = new Set(
    readdirSync(shared, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...readFileSync(join(shared, file), 'utf8').matchAll(/new (\w+Command)\(/g)])
      .map(([, name]) => name ?? ''),
  )

  test('every command is known here, and every one known is called', () => {
    assert.deepEqual([...commands].sort(), Object.keys(COMMANDS).sort())
  })

  for (const [command, { action, roles }] of Object.entries(COMMANDS))
    for (const role of roles)
      test(`${command} by ${role}`, () => assert.ok(actionsOf(world, role).includes(action), action))
})
