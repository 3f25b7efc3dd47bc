import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Annotations, Match } from 'aws-cdk-lib/assertions'
import { isAllowed, roleOf } from '../support/iam.ts'
import { build, templates, yaml } from '../support/stacks.ts'
import { ACCOUNT, REGION, type Resource, type Templates } from '../support/templates.ts'

const world = templates(yaml())
const bucketOf = (from: Templates, name: string): Resource =>
  from.one('AWS::S3::Bucket', `MailArchive${name}`)[1]
const mail = bucketOf(world, 'Mail').Properties
const BUCKETS = world.ofType('AWS::S3::Bucket').map(([id, { Properties }]) => ({ id, Properties }))

interface Lifecycle {
  readonly Rules: readonly Record<string, unknown>[]
}

function rulesOf(properties: Readonly<Record<string, unknown>>): readonly Record<string, unknown>[] {
  return (properties.LifecycleConfiguration as Lifecycle).Rules
}

test('mail is versioned, under Object Lock, and kept for the period of mailsluice.yaml in governance mode', () => {
  assert.deepEqual(mail.VersioningConfiguration, { Status: 'Enabled' })
  assert.equal(mail.ObjectLockEnabled, true)
  assert.deepEqual(mail.ObjectLockConfiguration, {
    ObjectLockEnabled: 'Enabled',
    Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 2555 } },
  })
})

test('compliance mode takes a confirmation, and synth warns that it is final', () => {
  const confirmed = yaml({ aws: 'complianceConfirmed: true' }).replace(
    'days: 2555',
    'mode: compliance, days: 2190',
  )
  const lock = bucketOf(templates(confirmed), 'Mail').Properties.ObjectLockConfiguration
  assert.deepEqual(lock, {
    ObjectLockEnabled: 'Enabled',
    Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 2190 } },
  })
  const warnings = (text: string) =>
    Annotations.fromStack(build(text).archive).findWarning(
      '*',
      Match.stringLikeRegexp('compliance mode.*final'),
    )
  assert.equal(warnings(confirmed).length, 1)
  assert.equal(warnings(yaml()).length, 0)
})

test('an event hold is off, and on when it is asked for', () => {
  const held = bucketOf(templates(yaml({ aws: 'eventHold: { days: 365 }' })), 'Mail').Properties
  assert.deepEqual(held.ObjectLockConfiguration, {
    ObjectLockEnabled: 'Enabled',
    Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 2555, DefaultEventHold: { Days: 365 } } },
  })
})

test('everything with data stays when its stack goes, with what protects it, also when a change would replace it', () => {
  const stateful = world.all.filter(
    ([id, { Type }]) =>
      id.startsWith('MailArchive') ||
      ['AWS::S3::Bucket', 'AWS::KMS::Key', 'AWS::Logs::LogGroup'].includes(Type),
  )
  const types = stateful.map(([, { Type }]) => Type)
  for (const type of [
    'AWS::S3::Bucket',
    'AWS::S3::BucketPolicy',
    'AWS::KMS::Key',
    'AWS::IAM::Role',
    'AWS::IAM::Policy',
  ])
    assert.ok(types.includes(type), type)
  for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of stateful)
    assert.deepEqual([id, DeletionPolicy, UpdateReplacePolicy], [id, 'Retain', 'Retain'])
})

test('the archive stack is protected against its deletion', () => {
  const { archive, ingest } = build(yaml())
  assert.equal(archive.terminationProtection, true)
  assert.equal(ingest.terminationProtection, false)
})

test('no bucket can be made public, and none has ACLs', () => {
  for (const { id, Properties } of BUCKETS) {
    assert.deepEqual(
      Properties.PublicAccessBlockConfiguration,
      { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
      id,
    )
    assert.deepEqual(
      Properties.OwnershipControls,
      { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      id,
    )
  }
})

test('mail, state and derived data are encrypted by a key of our own that rotates, with one request to KMS for many objects', () => {
  const [, { Properties: key }] = world.one('AWS::KMS::Key', 'MailArchiveKey')
  assert.equal(key.EnableKeyRotation, true)
  for (const name of ['Mail', 'State', 'Derived'])
    assert.deepEqual(bucketOf(world, name).Properties.BucketEncryption, {
      ServerSideEncryptionConfiguration: [
        {
          BucketKeyEnabled: true,
          ServerSideEncryptionByDefault: {
            SSEAlgorithm: 'aws:kms',
            KMSMasterKeyID: world.arnOf(world.one('AWS::KMS::Key', 'MailArchiveKey')[0]),
          },
        },
      ],
    })
})

test('encryption by S3 itself is a choice, and needs no key but the one that signs', () => {
  const plain = templates(yaml({ aws: 'encryption: s3' }))
  assert.deepEqual(
    plain.ofType('AWS::KMS::Key').map(([, { Properties }]) => Properties.KeyUsage),
    ['SIGN_VERIFY'],
  )
  for (const name of ['Mail', 'State', 'Derived'])
    assert.deepEqual(bucketOf(plain, name).Properties.BucketEncryption, {
      ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    })
})

test('nobody but the records officer disables or deletes the key', async () => {
  const [id, key] = world.one('AWS::KMS::Key', 'MailArchiveKey')
  const policy = key.Properties.KeyPolicy as Parameters<typeof isAllowed>[2]
  const officer = roleOf(world, world.one('AWS::IAM::Role', 'MailArchiveRecordsOfficer')[0])
  const everything = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }],
  } as const
  for (const action of ['kms:ScheduleKeyDeletion', 'kms:DisableKey']) {
    const call = { action, resource: world.arnOf(id) }
    const role = `arn:aws:iam::${ACCOUNT}:role/Administrator`
    const admin = { role, policies: [everything], account: ACCOUNT }
    assert.equal(await isAllowed(admin, call, policy), false, action)
    assert.equal(await isAllowed({ ...officer, policies: [everything] }, call, policy), true, action)
  }
})

test('the functions use the key through S3 alone, and for their buckets', async () => {
  const [id] = world.one('AWS::KMS::Key', 'MailArchiveKey')
  const drain = roleOf(world, world.one('AWS::IAM::Role', 'MailIngestdrainmailbox')[0])
  const key = world.one('AWS::KMS::Key', 'MailArchiveKey')[1].Properties.KeyPolicy as Parameters<
    typeof isAllowed
  >[2]
  const through = (service: string, bucket: string, action = 'kms:GenerateDataKey') => ({
    action,
    resource: world.arnOf(id),
    context: {
      'kms:ViaService': `${service}.${REGION}.amazonaws.com`,
      'kms:EncryptionContext:aws:s3:arn': bucket,
    },
  })
  const mailArn = world.arnOf(world.one('AWS::S3::Bucket', 'MailArchiveMail')[0])
  const derivedArn = world.arnOf(world.one('AWS::S3::Bucket', 'MailArchiveDerived')[0])
  assert.equal(await isAllowed(drain, through('s3', mailArn), key), true)
  assert.equal(await isAllowed(drain, through('s3', derivedArn), key), true)
  // It stores what it derives, and never reads it.
  assert.equal(await isAllowed(drain, through('s3', derivedArn, 'kms:Decrypt'), key), false)
  assert.equal(await isAllowed(drain, through('ssm', mailArn), key), false)
})

test('a drain stores attachments and long metadata, and can neither read, list nor delete what was derived', async () => {
  const drain = roleOf(world, world.one('AWS::IAM::Role', 'MailIngestdrainmailbox')[0])
  const [id, { Properties }] = world.one('AWS::S3::Bucket', 'MailArchiveDerived')
  const bucket = world.arnOf(id)
  const may = (action: string, resource: string) => isAllowed(drain, { action, resource })

  assert.equal(Properties.VersioningConfiguration, undefined)
  for (const key of ['attachments/invoices/aa/x', 'metadata/invoices/aa/x.json']) {
    assert.equal(await may('s3:PutObject', `${bucket}/${key}`), true, key)
    for (const action of ['s3:GetObject', 's3:DeleteObject', 's3:PutObjectAcl'])
      assert.equal(await may(action, `${bucket}/${key}`), false, action)
  }
  assert.equal(await may('s3:PutObject', `${bucket}/exports/x`), false)
  assert.equal(await may('s3:ListBucket', bucket), false)
})

test('who read what is logged, into a bucket without Object Lock, for S3 delivers to no other', () => {
  const [logs] = world.one('AWS::S3::Bucket', 'MailArchiveAccessLogs')
  for (const [name, prefix] of [
    ['Mail', 'archive/'],
    ['State', 'state/'],
    ['Derived', 'derived/'],
  ] as const)
    assert.deepEqual(bucketOf(world, name).Properties.LoggingConfiguration, {
      DestinationBucketName: world.nameOf(logs),
      LogFilePrefix: prefix,
    })
  const bucket = bucketOf(world, 'AccessLogs').Properties
  assert.equal(bucket.ObjectLockEnabled, undefined)
  assert.deepEqual(bucket.BucketEncryption, {
    ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
  })
  const delivery = world.bucketPolicyOf(logs)?.Statement.filter(({ Effect }) => Effect === 'Allow') ?? []
  assert.equal(delivery.length, 3)
  for (const { Principal, Action, Condition } of delivery)
    assert.deepEqual(
      [Principal, Action, Condition],
      [
        { Service: 'logging.s3.amazonaws.com' },
        's3:PutObject',
        { StringEquals: { 'aws:SourceAccount': ACCOUNT } },
      ],
    )
})

describe('the lifecycle of mail', () => {
  const unmoved = bucketOf(templates(yaml({ aws: 'coldStorage: false' })), 'Mail').Properties

  test('makes no delete marker and deletes no version', () => {
    for (const rule of [...rulesOf(mail), ...rulesOf(unmoved)])
      for (const property of Object.keys(rule)) assert.doesNotMatch(property, /Expir/, JSON.stringify(rule))
  })

  test('moves large old mail to a class that answers at once, and nothing that would be billed as 128 KiB', () => {
    assert.deepEqual(
      rulesOf(mail).filter((rule) => rule.Transitions),
      [
        {
          Id: 'large-old-mail-to-colder-storage',
          Status: 'Enabled',
          Prefix: 'raw/',
          ObjectSizeGreaterThan: 131_072,
          Transitions: [{ StorageClass: 'GLACIER_IR', TransitionInDays: 90 }],
        },
      ],
    )
  })

  test('leaves everything where it is when that is asked for', () => {
    assert.deepEqual(
      rulesOf(unmoved).filter((rule) => rule.Transitions),
      [],
    )
  })

  test('gives up uploads that were never completed', () => {
    for (const name of ['Mail', 'State', 'Derived', 'AccessLogs'])
      assert.ok(
        rulesOf(bucketOf(world, name).Properties).some(
          ({ AbortIncompleteMultipartUpload }) => AbortIncompleteMultipartUpload !== undefined,
        ),
        name,
      )
  })
})

test('state has no versions, for every drain writes a snapshot', () => {
  assert.equal(bucketOf(world, 'State').Properties.VersioningConfiguration, undefined)
})

test('derived data expires, for it can be made again', () => {
  const expiring = rulesOf(bucketOf(world, 'Derived').Properties).filter((rule) => rule.ExpirationInDays)
  assert.deepEqual(
    expiring.map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays]),
    [
      [undefined, 90],
      ['searches/', 1],
    ],
  )
})

describe('a second copy', () => {
  const target = {
    bucket: 'arn:aws:s3:::acme-mail-copies',
    key: 'arn:aws:kms:eu-west-1:444455556666:key/11111111-2222-3333-4444-555555555555',
  }
  const copied = templates(
    yaml({
      aws: `replication: { bucket: "${target.bucket}", region: eu-west-1, account: "444455556666", key: "${target.key}" }`,
    }),
  )

  test('is made of every version with its lock, encrypted, owned by the other account, without delete markers', () => {
    const { ReplicationConfiguration } = bucketOf(copied, 'Mail').Properties as {
      ReplicationConfiguration: { Rules: readonly unknown[] }
    }
    assert.deepEqual(ReplicationConfiguration.Rules, [
      {
        Id: 'everything',
        Status: 'Enabled',
        Priority: 1,
        Filter: { Prefix: '' },
        DeleteMarkerReplication: { Status: 'Disabled' },
        SourceSelectionCriteria: { SseKmsEncryptedObjects: { Status: 'Enabled' } },
        Destination: {
          Bucket: target.bucket,
          Account: '444455556666',
          AccessControlTranslation: { Owner: 'Destination' },
          EncryptionConfiguration: { ReplicaKmsKeyID: target.key },
        },
      },
    ])
  })

  test('is made by a role that reads locks and cannot carry deletions over', async () => {
    const role = roleOf(copied, copied.one('AWS::IAM::Role', 'MailArchiveReplicationRole')[0])
    const arn = copied.arnOf(copied.one('AWS::S3::Bucket', 'MailArchiveMail')[0])
    const may = (action: string, resource: string) => isAllowed(role, { action, resource })
    for (const action of [
      's3:GetObjectVersionForReplication',
      's3:GetObjectRetention',
      's3:GetObjectLegalHold',
    ])
      assert.equal(await may(action, `${arn}/raw/a`), true, action)
    assert.equal(await may('s3:ReplicateObject', `${target.bucket}/raw/a`), true)
    for (const action of ['s3:ReplicateDelete', 's3:DeleteObjectVersion', 's3:PutObject'])
      assert.equal(await may(action, `${target.bucket}/raw/a`), false, action)
  })

  test('is not made unless it is asked for', () => {
    assert.equal(mail.ReplicationConfiguration, undefined)
  })
})

test('buckets have the names of mailsluice.yaml, and names of CloudFormation without', () => {
  const named = templates(`${yaml({ archive: 'bucket: acme-mail' })}\nstate: { bucket: acme-mail-state }`)
  assert.equal(bucketOf(named, 'Mail').Properties.BucketName, 'acme-mail')
  assert.equal(bucketOf(named, 'State').Properties.BucketName, 'acme-mail-state')
  for (const { id, Properties } of BUCKETS) assert.equal(Properties.BucketName, undefined, id)
})

test('the records officer’s role is assumed by people of the account with MFA, for an hour', () => {
  const [, { Properties }] = world.one('AWS::IAM::Role', 'MailArchiveRecordsOfficer')
  assert.equal(Properties.MaxSessionDuration, 3600)
  assert.deepEqual(Properties.AssumeRolePolicyDocument, {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'sts:AssumeRole',
        Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
        Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } },
      },
    ],
  })
})
