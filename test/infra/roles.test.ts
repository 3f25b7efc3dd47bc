import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { bundleFunctions } from '../../functions/bundle.ts'
import { FUNCTIONS, type FunctionName } from '../../shared/contract/functions.ts'
import { isAllowed, roleOf } from '../support/iam.ts'
import { templates, yaml } from '../support/stacks.ts'
import { listOf, type Policy, type Statement, type Templates } from '../support/templates.ts'

// Least privilege, written down: whoever gives a role one action more changes this file.

const ROOT = join(import.meta.dirname, '..', '..')
const world = templates(yaml({ more: 'authentication: { queue: invoices }' }))

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
const SECRET_WRITER = [
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
  'ssm:DescribeParameters',
  'ssm:PutParameter',
]
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
    's3:GetObjectLegalHold',
    's3:GetObjectRetention',
    's3:PutObject',
    'sqs:ChangeMessageVisibility',
    'sqs:GetQueueUrl',
    'sqs:SendMessage',
  ],
  MailIngestholdnewmail: [
    ...FUNCTION,
    ...LEDGER_READER,
    ...QUEUE_CONSUMER,
    'kms:GenerateDataKey',
    's3:PutObject',
    's3:PutObjectLegalHold',
  ],
  MailIngestsealledgers: [
    ...FUNCTION,
    ...LEDGER_READER,
    'kms:GenerateDataKey',
    'kms:GetPublicKey',
    'kms:Sign',
    's3:PutObject',
    'sqs:SendMessage',
  ],
  MailIngestverifyauthentication: [
    ...FUNCTION,
    ...LEDGER_READER,
    ...QUEUE_CONSUMER,
    'kms:GenerateDataKey',
    's3:PutObject',
    'sqs:GetQueueUrl',
    'sqs:SendMessage',
  ],
  MailIngestSealSchedule: ['lambda:InvokeFunction', 'sqs:SendMessage'],
  MailIngestSchedule: ['lambda:InvokeFunction', 'sqs:SendMessage'],
  MailArchiveRecordsOfficer: [
    'kms:Decrypt',
    'kms:GenerateDataKey',
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
    's3:PutObject',
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
    'MailArchiveSealKey: kms:*',
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

describe('who verifies', () => {
  const statementsOf = (sid: string) =>
    everyStatement(world).filter(
      ({ where }) => where.startsWith('MailIngestverifyauthentication') && where.endsWith(sid),
    )
  const resourcesOf = (sid: string) =>
    statementsOf(sid).flatMap(({ statement }) =>
      listOf(statement.Resource).map((arn) => arn.replace(/^arn:aws:s3:::[^/]+/, '')),
    )

  test('writes evidence of that and nothing else, and reads no other evidence', () => {
    assert.deepEqual(resourcesOf('KeepEvidence'), ['/evidence/authentication/*'])
    assert.deepEqual(resourcesOf('ReadMailAndEvidence'), [
      '/ledger/*',
      '/raw/*',
      '/evidence/authentication/*',
    ])
  })

  test('sends to the queues that authentication names alone', () => {
    assert.deepEqual(resourcesOf('Announce'), ['arn:aws:sqs:eu-central-1:111122223333:invoice-events'])
  })

  test('is not there when nothing is to be verified, nor are its queue and its alarm', () => {
    const without = templates(yaml())
    for (const [id, { Type }] of without.all)
      assert.doesNotMatch(`${id} ${Type}`, /verifyauthentication|SegmentsToVerify/i)
    assert.ok(world.one('AWS::Events::Rule', 'MailIngestSegmentsToVerify'))
  })

  test('sends nothing when no queue is named', () => {
    const silent = templates(yaml({ more: 'authentication: {}' }))
    const actions = actionsOf(silent, 'MailIngestverifyauthentication')
    assert.deepEqual(
      actions.filter((action) => /sqs:(SendMessage|GetQueueUrl)/.test(action)),
      [],
    )
  })
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

  test('a mailbox with a refresh token may have it replaced by its provider, and no other secret', () => {
    const oauth2 = '{ grant: refresh-token, tokenUrl: "https://login.example/token", clientId: c }'
    const mailbox = (id: string, credential: string) =>
      `- { id: ${id}, protocol: imap, host: h.example, user: u, auth: oauth2, oauth2: ${oauth2}, credential: "${credential}" }`
    const refreshing = templates(
      yaml({ mailboxes: [mailbox('p', 'ssm:/mailsluice/p'), mailbox('s', 'secretsmanager:s')].join('\n') }),
    )
    assert.deepEqual(
      actionsOf(refreshing, 'MailIngestdrainmailbox'),
      [...new Set([...(ROLES.MailIngestdrainmailbox ?? []), ...SECRET_WRITER])].sort(),
    )
    assert.deepEqual(resourcesOf(refreshing, 'ReplaceRefreshTokens'), [
      'arn:aws:ssm:eu-central-1:111122223333:parameter/mailsluice/p',
    ])
    assert.deepEqual(resourcesOf(refreshing, 'ReplaceSecretRefreshTokens'), [
      'arn:aws:secretsmanager:eu-central-1:111122223333:secret:s-??????',
    ])
  })

  test('under keys of their own are had through the services that keep them, and not by the key alone', async () => {
    const key = 'arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555'
    const keyed = templates(yaml({ aws: `keys: ["${key}"]` }))
    const probe = roleOf(keyed, keyed.one('AWS::IAM::Role', 'MailIngestprobemailboxes')[0])
    const decrypt = { action: 'kms:Decrypt', resource: key }
    const through = (service: string) => ({
      ...decrypt,
      context: { 'kms:ViaService': `${service}.eu-central-1.amazonaws.com` },
    })
    const Principal = { AWS: 'arn:aws:iam::111122223333:root' }
    const byIam: Policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' }],
    }
    assert.equal(await isAllowed(probe, through('ssm'), byIam), true)
    assert.equal(await isAllowed(probe, through('s3'), byIam), false)
    assert.equal(await isAllowed(probe, decrypt, byIam), false)
  })

  test('with a prefix every parameter under it may be read, so that a new mailbox needs no deployment', () => {
    const prefixed = templates(yaml({ aws: 'parameterPrefix: /mailsluice/' }))
    assert.deepEqual(resourcesOf(prefixed, 'ReadPasswords'), [
      'arn:aws:ssm:eu-central-1:111122223333:parameter/mailsluice/*',
    ])
  })
})

describe('what a function calls is what its role allows, and nothing else:', () => {
  const ACTIONS: Readonly<Record<string, string>> = {
    DescribeParametersCommand: 'ssm:DescribeParameters',
    PutParameterCommand: 'ssm:PutParameter',
    PutSecretValueCommand: 'secretsmanager:PutSecretValue',
    UpdateSecretVersionStageCommand: 'secretsmanager:UpdateSecretVersionStage',
    ChangeMessageVisibilityCommand: 'sqs:ChangeMessageVisibility',
    DeleteMessageCommand: 'sqs:DeleteMessage',
    GetBucketVersioningCommand: 's3:GetBucketVersioning',
    GetObjectCommand: 's3:GetObject',
    GetObjectLegalHoldCommand: 's3:GetObjectLegalHold',
    GetObjectLockConfigurationCommand: 's3:GetBucketObjectLockConfiguration',
    GetObjectRetentionCommand: 's3:GetObjectRetention',
    GetParameterCommand: 'ssm:GetParameter',
    GetPublicKeyCommand: 'kms:GetPublicKey',
    GetQueueAttributesCommand: 'sqs:GetQueueAttributes',
    GetQueueUrlCommand: 'sqs:GetQueueUrl',
    GetSecretValueCommand: 'secretsmanager:GetSecretValue',
    HeadObjectCommand: 's3:GetObject',
    ListObjectVersionsCommand: 's3:ListBucketVersions',
    ListObjectsV2Command: 's3:ListBucket',
    PutObjectCommand: 's3:PutObject',
    PutObjectLegalHoldCommand: 's3:PutObjectLegalHold',
    ReceiveMessageCommand: 'sqs:ReceiveMessage',
    SendMessageBatchCommand: 'sqs:SendMessage',
    SignCommand: 'kms:Sign',
  }

  /** In the bundle, and never called there: the ports serve the command line too. */
  const AS_A_CONSUMER = ['ReceiveMessageCommand', 'DeleteMessageCommand', 'GetQueueAttributesCommand']
  const NOT_CALLED: Readonly<Record<FunctionName, readonly string[]>> = {
    // It is told the URL of its one queue, and only reads the state.
    'schedule-drains': [
      ...AS_A_CONSUMER,
      'ChangeMessageVisibilityCommand',
      'GetQueueUrlCommand',
      'PutObjectCommand',
    ],
    // It does not ask whether the archive keeps what it promises: the drain does.
    'probe-mailboxes': [
      ...AS_A_CONSUMER,
      'ChangeMessageVisibilityCommand',
      'GetBucketVersioningCommand',
      'GetObjectLockConfigurationCommand',
      // Nor does it look at locks.
      'GetObjectLegalHoldCommand',
      'GetObjectRetentionCommand',
      'ListObjectVersionsCommand',
    ],
    'drain-mailbox': [...AS_A_CONSUMER, 'ListObjectVersionsCommand'],
    // Whether the archive keeps what it promises, the drain has asked.
    'hold-new-mail': ['GetBucketVersioningCommand', 'GetObjectLockConfigurationCommand'],
    'seal-ledgers': ['GetBucketVersioningCommand', 'GetObjectLockConfigurationCommand'],
    // Of its archive it lists nothing, but for the right to be told that there is no evidence yet.
    'verify-authentication': [
      ...AS_A_CONSUMER,
      'ChangeMessageVisibilityCommand',
      'GetBucketVersioningCommand',
      'GetObjectLockConfigurationCommand',
    ],
  }

  /** Without a call in the code. */
  const BEYOND_CALLS: Readonly<Record<FunctionName, readonly string[]>> = {
    // S3 answers 404 for state that is absent to those alone who may list.
    'schedule-drains': [...FUNCTION, 'kms:Decrypt', 's3:ListBucket'],
    'probe-mailboxes': [...FUNCTION, ...QUEUE_CONSUMER, 'kms:Decrypt', 'kms:GenerateDataKey'],
    'hold-new-mail': [...FUNCTION, ...QUEUE_CONSUMER, 'kms:Decrypt', 'kms:GenerateDataKey'],
    'drain-mailbox': [...FUNCTION, ...QUEUE_CONSUMER, 'kms:Decrypt', 'kms:GenerateDataKey'],
    'verify-authentication': [...FUNCTION, ...QUEUE_CONSUMER, 'kms:Decrypt', 'kms:GenerateDataKey'],
    // What it failed with goes to a queue, by Lambda in its name.
    'seal-ledgers': [...FUNCTION, 'kms:Decrypt', 'kms:GenerateDataKey', 'sqs:SendMessage'],
  }

  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-bundles-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const bundles = bundleFunctions(folder)

  for (const name of Object.keys(NOT_CALLED) as FunctionName[])
    test(name, async () => {
      const bundle = (await bundles).find((it) => it.name === name)
      const commands = new Set(
        bundle?.inputs.filter((file) => !file.includes('node_modules/')).flatMap(commandsOf),
      )
      for (const command of NOT_CALLED[name])
        assert.ok(commands.delete(command), `${command} is not in the bundle`)

      // Taken with refresh tokens alone.
      const called = [...commands]
        .filter((command) => !SECRET_WRITER.includes(ACTIONS[command] ?? ''))
        .map((command) => ACTIONS[command] ?? `${command} is not known here`)

      assert.deepEqual(
        [...new Set([...called, ...BEYOND_CALLS[name]])].sort(),
        actionsOf(world, `MailIngest${name.replaceAll('-', '')}`),
      )
    })

  test('each entry point is a function of the stack', async () => {
    assert.deepEqual(
      (await bundles).map(({ name }) => name),
      Object.keys(FUNCTIONS).sort(),
    )
  })
})

function commandsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(/new (\w+Command)\(/g)].map(([, name]) => name ?? '')
}
