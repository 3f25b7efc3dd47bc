import { Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { acknowledge, acknowledgePrefixes } from './acknowledged.ts'
import { throughS3 } from './through-s3.ts'

export interface ReplicationTarget {
  /** ARN of a bucket with versions and Object Lock, such as another MailArchive with `replicatesFrom`. */
  readonly bucket: string
  /** Where it is. @default the archive's region */
  readonly region?: string | undefined
  /** Its owner. @default the archive's account */
  readonly account?: string | undefined
  /** ARN of the key that encrypts there; needed when the archive has one. */
  readonly key?: string | undefined
}

/**
 * Copies every new version, with its lock, and no delete marker. Deleting a version deletes no copy: the records officer of the copy does.
 * The role is written by hand; the CDK's would also carry deletions over.
 */
export function replicate(
  scope: Construct,
  archive: s3.Bucket,
  key: kms.IKey | undefined,
  target: ReplicationTarget,
): iam.Role {
  if (key && !target.key)
    throw new RangeError(
      'MailArchive: replication.key is missing; the archive is encrypted with a key of its own',
    )
  const role = new iam.Role(scope, 'ReplicationRole', {
    description: 'Mailsluice: S3 copies the mail archive',
    assumedBy: new iam.ServicePrincipal('s3.amazonaws.com'),
  })
  acknowledge(role, 'ownPolicies')
  acknowledgePrefixes(role)
  role.addToPolicy(
    new iam.PolicyStatement({
      sid: 'ReadSettings',
      actions: ['s3:GetReplicationConfiguration', 's3:ListBucket'],
      resources: [archive.bucketArn],
    }),
  )
  role.addToPolicy(
    new iam.PolicyStatement({
      sid: 'ReadVersions',
      actions: [
        's3:GetObjectVersionForReplication',
        's3:GetObjectVersionAcl',
        's3:GetObjectVersionTagging',
        's3:GetObjectRetention',
        's3:GetObjectLegalHold',
      ],
      resources: [archive.arnForObjects('*')],
    }),
  )
  role.addToPolicy(
    new iam.PolicyStatement({
      sid: 'WriteCopies',
      actions: [
        's3:ReplicateObject',
        's3:ReplicateTags',
        ...(target.account === undefined ? [] : ['s3:ObjectOwnerOverrideToBucketOwner']),
      ],
      resources: [`${target.bucket}/*`],
    }),
  )
  if (key && target.key) {
    const { region, urlSuffix } = Stack.of(scope)
    role.addToPolicy(
      new iam.PolicyStatement({
        sid: 'Decrypt',
        actions: ['kms:Decrypt'],
        resources: [key.keyArn],
        conditions: throughS3(scope, [archive]),
      }),
    )
    role.addToPolicy(
      new iam.PolicyStatement({
        sid: 'EncryptCopies',
        actions: ['kms:Encrypt', 'kms:GenerateDataKey'],
        resources: [target.key],
        conditions: {
          StringEquals: {
            'kms:ViaService': `s3.${target.region ?? region}.${urlSuffix}`,
            'kms:EncryptionContext:aws:s3:arn': target.bucket,
          },
        },
      }),
    )
  }
  const resource = archive.node.defaultChild as s3.CfnBucket
  resource.replicationConfiguration = {
    role: role.roleArn,
    rules: [
      {
        id: 'everything',
        status: 'Enabled',
        priority: 1,
        filter: { prefix: '' },
        deleteMarkerReplication: { status: 'Disabled' },
        ...(key ? { sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: 'Enabled' } } } : {}),
        destination: {
          bucket: target.bucket,
          ...(target.account === undefined
            ? {}
            : { account: target.account, accessControlTranslation: { owner: 'Destination' } }),
          ...(target.key === undefined ? {} : { encryptionConfiguration: { replicaKmsKeyId: target.key } }),
        },
      },
    ],
  }
  return role
}
