import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import type { OwnRetention } from './mail-archive.ts'

// What nobody may do with the archive, whatever their own policies allow. The account's root user can always replace a bucket policy (S3
// guarantees that, against a lock-out), which leaves a trace in CloudTrail and no object under compliance mode weaker.

export interface Protection {
  readonly officer: iam.IRole
  /** ARNs of roles; `*` and `?` may stand in them. */
  readonly deployers: readonly string[]
  readonly retentionChange: boolean
  readonly encryptionKey: kms.IKey | undefined
  readonly ownRetentions: readonly OwnRetention[]
  readonly replicatesFrom: string | undefined
}

/** Settings by which a promise of the archive could be undone. */
const SETTINGS = [
  's3:DeleteBucket',
  's3:DeleteBucketPolicy',
  's3:PutBucketAcl',
  's3:PutBucketLogging',
  's3:PutBucketNotification',
  's3:PutBucketOwnershipControls',
  's3:PutBucketPolicy',
  's3:PutBucketPublicAccessBlock',
  's3:PutBucketVersioning',
  's3:PutEncryptionConfiguration',
  's3:PutLifecycleConfiguration',
  's3:PutReplicationConfiguration',
]

export function protectArchive(archive: s3.Bucket, protection: Protection): void {
  const objects = archive.arnForObjects('*')
  const { officer, deployers } = protection
  const notTheOfficer = { ArnNotEquals: { 'aws:PrincipalArn': officer.roleArn } }

  const deny = (
    sid: string,
    actions: string[],
    resource: string,
    conditions: Record<string, Record<string, unknown>>,
  ): void => {
    archive.addToResourcePolicy(
      new iam.PolicyStatement({
        sid,
        effect: iam.Effect.DENY,
        principals: [new iam.AnyPrincipal()],
        actions,
        resources: [resource],
        conditions,
      }),
    )
  }

  // Parts of a multipart upload carry no condition and have no SHA-256 of the whole, so they are denied with the rest: every object here is
  // one PutObject. Replication writes by s3:ReplicateObject and is not concerned.
  deny('OnlyNewKeys', ['s3:PutObject'], objects, { Null: { 's3:if-none-match': 'true' } })

  // Also to the officer: a delete marker hides a key, and If-None-Match would take it for free. Versions are deleted by their id.
  deny('NoDeleteMarkers', ['s3:DeleteObject'], objects, {})

  deny(
    'OnlyTheRecordsOfficerDeletes',
    ['s3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
    objects,
    notTheOfficer,
  )
  // One right sets and releases holds. Setting one weakens nothing, and is done to new mail by a function that the officer has no time to be.
  deny('OnlyTheRecordsOfficerReleases', ['s3:PutObjectLegalHold'], objects, {
    ...notTheOfficer,
    StringNotEquals: { 's3:object-lock-legal-hold': 'ON' },
  })
  denyRetention(archive, protection)

  deny(
    'OnlyTheRecordsOfficerChangesLocks',
    ['s3:PutBucketObjectLockConfiguration'],
    archive.bucketArn,
    protection.retentionChange
      ? { ArnNotLike: { 'aws:PrincipalArn': [officer.roleArn, ...deployers] } }
      : notTheOfficer,
  )
  // CloudFormation sets them with the first deployment, when this policy is not there yet, and with later ones.
  deny('OnlyDeploymentsChangeSettings', SETTINGS, archive.bucketArn, {
    ArnNotLike: { 'aws:PrincipalArn': [...deployers] },
  })

  denyForeignKeys(archive, protection.encryptionKey, deny)
  if (protection.replicatesFrom) allowReplicas(archive, protection.replicatesFrom)
}

type Deny = (
  sid: string,
  actions: string[],
  resource: string,
  conditions: Record<string, Record<string, unknown>>,
) => void

/** Mail under a key of the writer's own would be mail that we cannot read. */
function denyForeignKeys(archive: s3.Bucket, key: kms.IKey | undefined, deny: Deny): void {
  const objects = archive.arnForObjects('*')
  deny('NoKeysOfCustomers', ['s3:PutObject'], objects, {
    Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' },
  })
  deny('NoOtherEncryption', ['s3:PutObject'], objects, {
    Null: { 's3:x-amz-server-side-encryption': 'false' },
    StringNotEquals: { 's3:x-amz-server-side-encryption': key ? 'aws:kms' : 'AES256' },
  })
  if (key)
    deny('NoOtherKey', ['s3:PutObject'], objects, {
      Null: { 's3:x-amz-server-side-encryption-aws-kms-key-id': 'false' },
      ArnNotEquals: { 's3:x-amz-server-side-encryption-aws-kms-key-id': key.keyArn },
    })
}

/**
 * Lock headers on a put, and changes of a lock, ask for s3:PutObjectRetention. Where a mailbox has a retention of its own it may be
 * had, for its keys and for exactly that retention: the right lengthens a lock and never shortens it, nor releases an event hold.
 */
function denyRetention(archive: s3.Bucket, { officer, ownRetentions }: Protection): void {
  const keysOf = ({ mailbox }: OwnRetention): string[] => [
    archive.arnForObjects(`raw/${mailbox}/*`),
    archive.arnForObjects(`ledger/${mailbox}/*`),
  ]
  const base = {
    effect: iam.Effect.DENY,
    principals: [new iam.AnyPrincipal()],
    actions: ['s3:PutObjectRetention'],
  }
  const notTheOfficer = { 'aws:PrincipalArn': officer.roleArn }
  const own = ownRetentions.flatMap(keysOf)
  archive.addToResourcePolicy(
    new iam.PolicyStatement({
      ...base,
      sid: 'OnlyTheRecordsOfficerRetains',
      ...(own.length > 0 ? { notResources: own } : { resources: [archive.arnForObjects('*')] }),
      conditions: { ArnNotEquals: notTheOfficer },
    }),
  )
  for (const [index, entry] of ownRetentions.entries()) {
    const { mode, days } = entry.retention
    const unless = (what: string, conditions: Record<string, Record<string, unknown>>): void => {
      archive.addToResourcePolicy(
        new iam.PolicyStatement({
          ...base,
          sid: `OwnRetention${index}${what}`,
          resources: keysOf(entry),
          conditions: { ArnNotEquals: notTheOfficer, ...conditions },
        }),
      )
    }
    unless('Mode', { StringNotEquals: { 's3:object-lock-mode': mode.toUpperCase() } })
    // A day more or less: S3 counts whole days from its own clock.
    unless('Least', { NumericLessThan: { 's3:object-lock-remaining-retention-days': days - 1 } })
    unless('Most', { NumericGreaterThan: { 's3:object-lock-remaining-retention-days': days + 1 } })
    unless('Hold', { Null: { 's3:object-lock-event-hold': 'false' } })
  }
}

/** Another archive's replication role, also of another account: S3 makes the copies ours. */
function allowReplicas(archive: s3.Bucket, role: string): void {
  archive.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'TakeReplicas',
      principals: [new iam.ArnPrincipal(role)],
      actions: ['s3:ReplicateObject', 's3:ReplicateTags', 's3:ObjectOwnerOverrideToBucketOwner'],
      resources: [archive.arnForObjects('*')],
    }),
  )
}
