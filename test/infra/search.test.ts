import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { LEDGER_LINE, LEDGER_TABLES } from '../../shared/contract/ledger-table.ts'
import { type Call, type Caller, isAllowed } from '../support/iam.ts'
import { templates, yaml } from '../support/stacks.ts'
import { ACCOUNT, listOf, type Policy, REGION, type Templates } from '../support/templates.ts'

// What Athena is told of the ledgers, and what somebody may do who searches: the policy that is deployed, evaluated.

const world = templates(yaml())
const bucket = (name: string, from: Templates = world): string =>
  from.one('AWS::S3::Bucket', `MailArchive${name}`)[0]

interface Table {
  readonly Name: string
  readonly Parameters: Readonly<Record<string, string>>
  readonly PartitionKeys: readonly object[]
  readonly StorageDescriptor: Readonly<Record<string, unknown>>
}
const tables = world.ofType('AWS::Glue::Table').map(([, { Properties }]) => Properties.TableInput as Table)
const tableOf = (name: string): Table => tables.find(({ Name }) => Name === name) as Table

describe('the tables of the ledgers', () => {
  test('are the two that a search names, over the files as they are stored, a row for each line', () => {
    assert.deepEqual(tables.map(({ Name }) => Name).sort(), Object.values(LEDGER_TABLES).sort())
    for (const { StorageDescriptor } of tables) {
      assert.equal(StorageDescriptor.Location, `s3://${world.nameOf(bucket('Mail'))}/ledger/`)
      assert.deepEqual(StorageDescriptor.Columns, [{ Name: LEDGER_LINE, Type: 'string' }])
    }
  })

  test('need no crawler: one has no partitions, the other those that a query names', () => {
    assert.deepEqual(tableOf(LEDGER_TABLES.every).PartitionKeys, [])
    const { PartitionKeys, Parameters } = tableOf(LEDGER_TABLES.ofMailboxes)
    assert.deepEqual(PartitionKeys, [{ Name: 'mailbox', Type: 'string' }])
    assert.deepEqual(
      [Parameters['projection.enabled'], Parameters['projection.mailbox.type']],
      ['true', 'injected'],
    )
    assert.equal(
      Parameters['storage.location.template'],
      `s3://${world.nameOf(bucket('Mail'))}/ledger/\${mailbox}/`,
    )
  })

  test('are in a database whose name needs no quotes, whatever the deployment is called', () => {
    const [, { Properties }] = templates(yaml({ aws: 'stack: acme-mail' })).one('AWS::Glue::Database', '')
    assert.equal((Properties.DatabaseInput as { Name: string }).Name, 'acme_mail')
  })
})

describe('the workgroup', () => {
  const workgroupOf = (from: Templates) =>
    from.one('AWS::Athena::WorkGroup', 'LedgerSearch')[1].Properties.WorkGroupConfiguration as Record<
      string,
      unknown
    >

  test('decides where answers are, how they are encrypted and what is scanned, whatever a query says', () => {
    const { EnforceWorkGroupConfiguration, ResultConfiguration, BytesScannedCutoffPerQuery } =
      workgroupOf(world)
    assert.equal(EnforceWorkGroupConfiguration, true)
    assert.deepEqual(ResultConfiguration, {
      OutputLocation: `s3://${world.nameOf(bucket('Derived'))}/searches/`,
      ExpectedBucketOwner: ACCOUNT,
      EncryptionConfiguration: {
        EncryptionOption: 'SSE_KMS',
        KmsKey: world.arnOf(world.one('AWS::KMS::Key', 'MailArchiveKey')[0]),
      },
    })
    assert.equal(BytesScannedCutoffPerQuery, 100e9)
  })

  test('encrypts as the archive does, and scans as much as mailsluice.yaml says', () => {
    const plain = workgroupOf(templates(yaml({ aws: 'encryption: s3\nsearch: { gigabytes: 2 }' })))
    assert.deepEqual(
      (plain.ResultConfiguration as { EncryptionConfiguration: object }).EncryptionConfiguration,
      { EncryptionOption: 'SSE_S3' },
    )
    assert.equal(plain.BytesScannedCutoffPerQuery, 2e9)
  })

  test('answers are gone after a day, or after so many as mailsluice.yaml says', () => {
    const expiry = (from: Templates): unknown => {
      const [, { Properties }] = from.one('AWS::S3::Bucket', 'MailArchiveDerived')
      const { Rules } = Properties.LifecycleConfiguration as {
        Rules: readonly { Prefix?: string; ExpirationInDays?: number }[]
      }
      return Rules.find(({ Prefix }) => Prefix === 'searches/')?.ExpirationInDays
    }
    assert.equal(expiry(world), 1)
    assert.equal(expiry(templates(yaml({ aws: 'search: { answerDays: 7 }' }))), 7)
  })
})

describe('who searches', () => {
  const [, { Properties }] = world.one('AWS::IAM::ManagedPolicy', 'LedgerSearchSearcher')
  const searcher: Caller = {
    role: `arn:aws:iam::${ACCOUNT}:role/Auditor`,
    policies: [Properties.PolicyDocument as Policy],
    account: ACCOUNT,
  }
  const ARCHIVE = world.arnOf(bucket('Mail'))
  const DERIVED = world.arnOf(bucket('Derived'))
  const STATE = world.arnOf(bucket('State'))
  const [key] = world.one('AWS::KMS::Key', 'MailArchiveKey')
  const arn = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`
  const call = (action: string, resource: string, context: Call['context'] = {}): Call => ({
    action,
    resource,
    context,
  })
  /** By the policies of bucket and key, too. */
  const policyFor = ({ resource }: Call): Policy | undefined => {
    if (resource === world.arnOf(key))
      return world.one('AWS::KMS::Key', 'MailArchiveKey')[1].Properties.KeyPolicy as Policy
    const owner = ['Mail', 'Derived', 'State'].find((name) => resource.startsWith(world.arnOf(bucket(name))))
    return owner === undefined ? undefined : world.bucketPolicyOf(bucket(owner))
  }
  const listing = (resource: string, prefix: string): Call =>
    call('s3:ListBucket', resource, { 's3:prefix': prefix })
  const through = (action: string, service: string, of: string): Call =>
    call(action, world.arnOf(key), {
      'kms:ViaService': `${service}.${REGION}.amazonaws.com`,
      'kms:EncryptionContext:aws:s3:arn': of,
    })

  const may: readonly Call[] = [
    call('cloudformation:DescribeStacks', arn('cloudformation', 'stack/mailsluice-archive/1')),
    ...['StartQueryExecution', 'GetQueryExecution', 'GetQueryResults', 'StopQueryExecution'].map((action) =>
      call(`athena:${action}`, arn('athena', 'workgroup/mailsluice')),
    ),
    call('glue:GetTable', arn('glue', 'table/mailsluice/ledger')),
    call('glue:GetTable', arn('glue', 'table/mailsluice/ledger_of_mailboxes')),
    call('s3:GetObject', `${ARCHIVE}/ledger/invoices/0000000001.ndjson`),
    call('s3:GetObject', `${ARCHIVE}/evidence/cases/ott/0000000001.ndjson`),
    listing(ARCHIVE, 'ledger/'),
    listing(ARCHIVE, 'ledger/invoices/'),
    listing(ARCHIVE, 'evidence/cases/ott/'),
    call('s3:PutObject', `${DERIVED}/searches/1.csv`),
    call('s3:GetObject', `${DERIVED}/searches/1.csv`),
    through('kms:Decrypt', 's3', ARCHIVE),
    through('kms:GenerateDataKey', 's3', DERIVED),
  ]
  test('may do what a search takes', async () => {
    for (const each of may)
      assert.equal(await isAllowed(searcher, each, policyFor(each)), true, `${each.action} ${each.resource}`)
  })

  const mayNot: readonly Call[] = [
    // Mail, by no way.
    call('s3:GetObject', `${ARCHIVE}/raw/invoices/ab/${'ab'.repeat(32)}.eml`),
    call('s3:GetObject', `${DERIVED}/attachments/invoices/ab/${'ab'.repeat(32)}`),
    listing(ARCHIVE, 'raw/'),
    listing(ARCHIVE, ''),
    // Nothing is written to the archive, and nothing else beside it.
    call('s3:PutObject', `${ARCHIVE}/ledger/invoices/0000000002.ndjson`, { 's3:if-none-match': '*' }),
    call('s3:PutObject', `${DERIVED}/attachments/invoices/ab/${'ab'.repeat(32)}`),
    call('s3:DeleteObject', `${DERIVED}/searches/1.csv`),
    call('s3:GetObject', `${STATE}/mailboxes.json`),
    // No other workgroup, where nothing limits what is scanned; no other table, and no change of these.
    call('athena:StartQueryExecution', arn('athena', 'workgroup/primary')),
    call('athena:UpdateWorkGroup', arn('athena', 'workgroup/mailsluice')),
    call('glue:GetTable', arn('glue', 'table/others/secrets')),
    call('glue:UpdateTable', arn('glue', 'table/mailsluice/ledger')),
    call('cloudformation:DescribeStacks', arn('cloudformation', 'stack/another/1')),
    // The key through S3 alone, and for these buckets.
    through('kms:Decrypt', 'ssm', ARCHIVE),
    through('kms:Decrypt', 's3', STATE),
    call('kms:Decrypt', world.arnOf(key)),
  ]
  test('may do nothing else', async () => {
    for (const each of mayNot)
      assert.equal(await isAllowed(searcher, each, policyFor(each)), false, `${each.action} ${each.resource}`)
  })

  test('has the calls of the code, what Athena does in their name, and nothing else', () => {
    const { Statement } = Properties.PolicyDocument as Policy
    assert.deepEqual([...new Set(Statement.flatMap(({ Action }) => listOf(Action)))].sort(), [
      'athena:GetQueryExecution',
      'athena:GetQueryResults',
      'athena:StartQueryExecution',
      'athena:StopQueryExecution',
      'cloudformation:DescribeStacks',
      'glue:GetDatabase',
      'glue:GetPartitions',
      'glue:GetTable',
      'kms:Decrypt',
      'kms:GenerateDataKey',
      's3:AbortMultipartUpload',
      's3:GetBucketLocation',
      's3:GetObject',
      's3:ListBucket',
      's3:ListBucketMultipartUploads',
      's3:ListMultipartUploadParts',
      's3:PutObject',
    ])
    const folder = join(import.meta.dirname, '..', '..', 'shared', 'search')
    const calls = readdirSync(folder).flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/new this\.#sdk\.(\w+)Command\(/g)].map(
        ([, name]) => `athena:${name}`,
      ),
    )
    assert.equal(calls.length, 4)
    for (const each of calls)
      assert.ok(
        Statement.some(({ Action }) => listOf(Action).includes(each)),
        each,
      )
  })

  test('is nobody by default: the policy is attached to no role of ours', () => {
    for (const attached of ['Roles', 'Users', 'Groups']) assert.equal(Properties[attached], undefined)
  })
})

test('all of it goes with its stack, for none of it is data', () => {
  const ours = world.all.filter(([id]) => id.startsWith('LedgerSearch'))
  assert.equal(ours.length, 6)
  for (const [id, { DeletionPolicy }] of ours) assert.notEqual(DeletionPolicy, 'Retain', id)
  const [, { Properties }] = world.one('AWS::Athena::WorkGroup', 'LedgerSearch')
  assert.equal(Properties.RecursiveDeleteOption, true)
})
