import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { administrator, type Call, type Caller, isAllowed, roleOf } from '../support/iam.ts'
import { replica } from '../support/replica.ts'
import { templates, yaml } from '../support/stacks.ts'
import { ACCOUNT, type Policy, REGION, type Templates } from '../support/templates.ts'

// Who may do what with the archive bucket: the policies that are deployed, evaluated. The administrator stands for everybody whose own
// policies allow everything.

const world = templates(yaml())
const [bucket] = world.one('AWS::S3::Bucket', 'MailArchiveMail')
const ARCHIVE = world.arnOf(bucket)
const RAW = `${ARCHIVE}/raw/invoices/ab/${'ab'.repeat(32)}.eml`
const LEDGER = `${ARCHIVE}/ledger/invoices/0000000001.ndjson`
const NEW = { 's3:if-none-match': '*' }

const drain = roleOf(world, world.one('AWS::IAM::Role', 'MailIngestdrainmailbox')[0])
const probe = roleOf(world, world.one('AWS::IAM::Role', 'MailIngestprobemailboxes')[0])
const officer = roleOf(world, world.one('AWS::IAM::Role', 'MailArchiveRecordsOfficer')[0])
const holder = roleOf(world, world.one('AWS::IAM::Role', 'MailIngestholdnewmail')[0])
const admin = administrator()
const deployment = administrator(
  `arn:aws:iam::${ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-${ACCOUNT}-${REGION}`,
)

function policyOf(from: Templates): Policy {
  const policy = from.bucketPolicyOf(from.one('AWS::S3::Bucket', 'MailArchiveMail')[0])
  assert.ok(policy)
  return policy
}

async function allowed(caller: Caller, ...calls: Call[]): Promise<void> {
  for (const call of calls)
    assert.equal(await isAllowed(caller, call, policyOf(world)), true, `${caller.role} ${call.action}`)
}

async function refused(caller: Caller, ...calls: Call[]): Promise<void> {
  for (const call of calls)
    assert.equal(await isAllowed(caller, call, policyOf(world)), false, `${caller.role} ${call.action}`)
}

const put = (resource: string, context: Call['context'] = {}): Call => ({
  action: 's3:PutObject',
  resource,
  context,
})
const on =
  (resource: string) =>
  (action: string): Call => ({ action: `s3:${action}`, resource })

test('the drain adds mail and ledger segments', () => allowed(drain, put(RAW, NEW), put(LEDGER, NEW)))

test('the archive refuses a write without If-None-Match, whoever writes', async () => {
  for (const caller of [drain, admin, officer, deployment])
    await refused(
      caller,
      put(RAW),
      put(LEDGER),
      put(`${ARCHIVE}/evidence/1`),
      put(RAW, { 's3:if-match': 'etag' }),
    )
  await allowed(admin, put(RAW, NEW))
})

test('the archive refuses a request without TLS, whoever asks', async () => {
  const clear = { 'aws:SecureTransport': 'false' }
  await refused(drain, put(RAW, { ...NEW, ...clear }))
  await refused(admin, { ...on(RAW)('GetObject'), context: clear })
  await refused(officer, { ...on(RAW)('GetObjectVersion'), context: clear })
})

test('the archive refuses TLS before 1.2', () =>
  refused(admin, { ...on(RAW)('GetObject'), context: { 's3:TlsVersion': '1.1' } }))

describe('what a stolen drain role cannot do', () => {
  const mine = [RAW, LEDGER]
  const cases: Record<string, readonly Call[]> = {
    'overwrite a message or a ledger segment': mine.map((key) => put(key)),
    'delete or hide one': mine.flatMap((key) => ['DeleteObject', 'DeleteObjectVersion'].map(on(key))),
    'shorten, lengthen or lift a retention': mine.flatMap((key) =>
      ['PutObjectRetention', 'BypassGovernanceRetention'].map(on(key)),
    ),
    'place or release a legal hold': mine.map((key) => on(key)('PutObjectLegalHold')),
    'change locks, versions, lifecycle or the policy of the bucket': [
      'PutBucketObjectLockConfiguration',
      'PutBucketVersioning',
      'PutLifecycleConfiguration',
      'PutBucketPolicy',
      'DeleteBucketPolicy',
      'DeleteBucket',
    ].map(on(ARCHIVE)),
    'write beside raw/ and ledger/': [put(`${ARCHIVE}/evidence/1`, NEW)],
    'read old versions': [on(RAW)('GetObjectVersion')],
  }
  for (const [name, calls] of Object.entries(cases)) test(name, () => refused(drain, ...calls))

  test('read what waits in event queues or other secrets, replace its own, or apply another mailbox list', async () => {
    const arn = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`
    const [state] = world.one('AWS::S3::Bucket', 'MailArchiveState')
    const elsewhere: readonly Call[] = [
      { action: 'sqs:ReceiveMessage', resource: arn('sqs', 'mail-events') },
      { action: 'ssm:GetParameter', resource: arn('ssm', 'parameter/mailsluice/another') },
      { action: 'ssm:PutParameter', resource: arn('ssm', 'parameter/mailsluice/invoices') },
      { action: 'secretsmanager:GetSecretValue', resource: arn('secretsmanager', 'secret:another-AbCdEf') },
      put(`${world.arnOf(state)}/mailboxes.json`),
    ]
    for (const call of elsewhere) assert.equal(await isAllowed(drain, call), false, call.action)
  })
})

test('a probe reads ledgers and neither writes nor reads mail', async () => {
  await allowed(probe, on(LEDGER)('GetObject'), on(ARCHIVE)('ListBucket'))
  await refused(probe, put(RAW, NEW), put(LEDGER, NEW), on(RAW)('GetObject'))
})

test('nobody but the records officer may delete a version, bypass governance, change a retention or release a hold', async () => {
  const calls = [
    'DeleteObjectVersion',
    'BypassGovernanceRetention',
    'PutObjectRetention',
    'PutObjectLegalHold',
  ].map(on(RAW))
  await allowed(officer, ...calls)
  await refused(admin, ...calls)
  await refused(deployment, ...calls)
})

describe('a legal hold', () => {
  const HOLD = 's3:object-lock-legal-hold'
  const hold = (status: string): Call => ({ ...on(RAW)('PutObjectLegalHold'), context: { [HOLD]: status } })

  test('is set and released by the records officer', () => allowed(officer, hold('ON'), hold('OFF')))

  test('is set by the function that holds new mail, which releases none', async () => {
    await allowed(holder, hold('ON'))
    await refused(holder, hold('OFF'), on(RAW)('PutObjectLegalHold'))
  })

  test('is neither set nor released by a drain, and released by nobody who may do everything else', async () => {
    await refused(drain, hold('ON'), hold('OFF'))
    await refused(admin, hold('OFF'), on(RAW)('PutObjectLegalHold'))
  })
})

describe('the function that holds new mail', () => {
  const CASE = `${ARCHIVE}/evidence/cases/ott/0000000001.ndjson`

  test('reads ledgers and cases, and writes steps of cases', () =>
    allowed(holder, on(LEDGER)('GetObject'), on(CASE)('GetObject'), put(CASE, NEW)))

  test('reads no mail, and writes neither mail nor ledgers nor seals', () =>
    refused(
      holder,
      on(RAW)('GetObject'),
      put(RAW, NEW),
      put(LEDGER, NEW),
      put(`${ARCHIVE}/evidence/seals/1`, NEW),
      on(RAW)('PutObjectRetention'),
      on(RAW)('DeleteObjectVersion'),
    ))
})

test('the records officer records what he decides, under new keys, and no mail', async () => {
  await allowed(officer, put(LEDGER, NEW), put(`${ARCHIVE}/evidence/cases/ott/0000000001.ndjson`, NEW))
  await refused(officer, put(LEDGER), put(RAW, NEW))
})

test('nobody makes a delete marker, for under one a key is free again', async () => {
  for (const caller of [drain, admin, officer, deployment]) await refused(caller, on(RAW)('DeleteObject'))
})

test('nobody but the records officer changes the lock configuration', async () => {
  const call = on(ARCHIVE)('PutBucketObjectLockConfiguration')
  await allowed(officer, call)
  await refused(admin, call)
  await refused(deployment, call)
})

test('settings of the bucket change by deployment alone', async () => {
  const calls = [
    'PutBucketVersioning',
    'PutLifecycleConfiguration',
    'PutBucketPolicy',
    'DeleteBucketPolicy',
    'PutEncryptionConfiguration',
    'PutReplicationConfiguration',
    'PutBucketPublicAccessBlock',
    'DeleteBucket',
  ].map(on(ARCHIVE))
  await allowed(deployment, ...calls)
  await refused(admin, ...calls)
  await refused(officer, ...calls)
})

test('mail is not stored under a key of the writer’s own', async () => {
  const [key] = world.one('AWS::KMS::Key', 'MailArchiveKey')
  const with_ = (more: Record<string, string>) => put(RAW, { ...NEW, ...more })
  const foreign = `arn:aws:kms:${REGION}:${ACCOUNT}:key/00000000-0000-0000-0000-000000000000`
  const kms = { 's3:x-amz-server-side-encryption': 'aws:kms' }
  await allowed(admin, with_({ ...kms, 's3:x-amz-server-side-encryption-aws-kms-key-id': world.arnOf(key) }))
  await refused(
    admin,
    with_({ ...kms, 's3:x-amz-server-side-encryption-aws-kms-key-id': foreign }),
    with_({ 's3:x-amz-server-side-encryption': 'AES256' }),
    with_({ 's3:x-amz-server-side-encryption-customer-algorithm': 'AES256' }),
  )
})

test('the records officer finds and reads what is to be decided about', () =>
  allowed(
    officer,
    ...['GetObject', 'GetObjectVersion', 'GetObjectRetention', 'GetObjectLegalHold'].map(on(RAW)),
    ...['ListBucket', 'ListBucketVersions'].map(on(ARCHIVE)),
  ))

describe('with a records officer of another name', () => {
  const arn = `arn:aws:iam::${ACCOUNT}:role/LegalRecords`
  const own = templates(yaml({ aws: `recordsOfficer: "${arn}"` }))
  const [id] = own.one('AWS::S3::Bucket', 'MailArchiveMail')
  const version = on(`${own.arnOf(id)}/raw/a`)('DeleteObjectVersion')

  test('that role alone deletes versions, by the bucket policy', async () => {
    const named = { role: arn, policies: [], account: ACCOUNT }
    assert.equal(await isAllowed(named, version, policyOf(own)), true)
    assert.equal(await isAllowed(admin, version, policyOf(own)), false)
  })

  test('the stack makes no role for it', () =>
    assert.deepEqual(
      own.ofType('AWS::IAM::Role').filter(([role]) => role.includes('RecordsOfficer')),
      [],
    ))
})

test('while a retention is changed, deployments may change the lock configuration, and others still not', async () => {
  const changing = templates(yaml({ aws: 'retentionChange: true' }))
  const call = on(ARCHIVE)('PutBucketObjectLockConfiguration')
  assert.equal(await isAllowed(deployment, call, policyOf(changing)), true)
  assert.equal(await isAllowed(admin, call, policyOf(changing)), false)
})

describe('a mailbox with a retention of its own', () => {
  const own = templates(
    yaml({
      mailboxes:
        '- { id: legal, protocol: imap, host: h.example, user: c, credential: "ssm:/mailsluice/legal", retention: { days: 3650 } }',
    }),
  )
  const role = roleOf(own, own.one('AWS::IAM::Role', 'MailIngestdrainmailbox')[0])
  const retain = (mailbox: string, context: Record<string, string>): Call => ({
    action: 's3:PutObjectRetention',
    resource: `${ARCHIVE}/raw/${mailbox}/ab/x.eml`,
    context,
  })
  const exactly = { 's3:object-lock-mode': 'GOVERNANCE', 's3:object-lock-remaining-retention-days': '3650' }
  const may = (caller: Caller, call: Call) => isAllowed(caller, call, policyOf(own))

  test('is kept by it: the drain sends its lock with each message and segment', async () => {
    assert.equal(await may(role, retain('legal', exactly)), true)
    assert.equal(
      await may(role, { ...retain('legal', exactly), resource: `${ARCHIVE}/ledger/legal/0000000001.ndjson` }),
      true,
    )
  })

  test('is kept by nothing else: neither shorter nor longer, nor in another mode, nor released', async () => {
    const otherwise: readonly Record<string, string>[] = [
      { 's3:object-lock-remaining-retention-days': '30' },
      { 's3:object-lock-remaining-retention-days': '36500' },
      { 's3:object-lock-mode': 'COMPLIANCE' },
      { 's3:object-lock-event-hold': 'OFF' },
    ]
    for (const change of otherwise)
      assert.equal(await may(role, retain('legal', { ...exactly, ...change })), false, JSON.stringify(change))
    assert.equal(await may(role, retain('legal', { 's3:object-lock-event-hold': 'OFF' })), false)
  })

  test('gives no right over other mailboxes', async () => {
    assert.equal(await may(role, retain('invoices', exactly)), false)
    assert.equal(await may(admin, retain('invoices', exactly)), false)
  })
})

test('a copy is written by the replication role of the archive that it is told of, and without If-None-Match', async () => {
  const { copyPolicy, copyArn, replicator } = replica()
  const stranger: Caller = {
    role: 'arn:aws:iam::999988887777:role/Stranger',
    policies: [],
    account: '999988887777',
  }
  const replicate: Call = { action: 's3:ReplicateObject', resource: `${copyArn}/raw/a` }
  assert.equal(await isAllowed(replicator, replicate, copyPolicy), true)
  assert.equal(await isAllowed(stranger, replicate, copyPolicy), false)
})
