import { Duration, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { acknowledge, acknowledgePrefixes } from './acknowledged.ts'
import { throughS3 } from './through-s3.ts'

/**
 * The role that may lift retention, release holds and delete versions: for erasure that a law demands, and for the end of a legal hold.
 * People of the account assume it, by an IAM policy of their own and with MFA, for an hour. It cannot make delete markers either.
 */
export class RecordsOfficer extends iam.Role {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Mailsluice: may lift retention, release holds and delete versions in the mail archive',
      assumedBy: new iam.AccountPrincipal(Stack.of(scope).account).withConditions({
        Bool: { 'aws:MultiFactorAuthPresent': 'true' },
      }),
      maxSessionDuration: Duration.hours(1),
    })
    acknowledge(this, 'ownPolicies')
    acknowledgePrefixes(this)
  }
}

/** Allows the officer what the bucket policy denies to everybody else: our own role by its policy, another by the bucket's and the key's. */
export function empower(officer: iam.IRole, archive: s3.Bucket, key: kms.Key | undefined): void {
  const statements = [
    new iam.PolicyStatement({
      sid: 'DecideAboutVersions',
      actions: [
        's3:GetObject',
        's3:GetObjectVersion',
        's3:GetObjectRetention',
        's3:GetObjectLegalHold',
        's3:PutObjectRetention',
        's3:PutObjectLegalHold',
        's3:BypassGovernanceRetention',
        's3:DeleteObjectVersion',
      ],
      resources: [archive.arnForObjects('*')],
    }),
    // New keys alone, as for everybody: steps of cases, receipts, tombstones.
    new iam.PolicyStatement({
      sid: 'RecordDecisions',
      actions: ['s3:PutObject'],
      resources: [archive.arnForObjects('evidence/*'), archive.arnForObjects('ledger/*')],
    }),
    new iam.PolicyStatement({
      sid: 'FindVersions',
      actions: [
        's3:ListBucket',
        's3:ListBucketVersions',
        's3:GetBucketVersioning',
        's3:GetBucketObjectLockConfiguration',
        's3:PutBucketObjectLockConfiguration',
      ],
      resources: [archive.bucketArn],
    }),
  ]
  const useKey = { sid: 'ReadAndRecord', actions: ['kms:Decrypt', 'kms:GenerateDataKey'] }
  if (officer instanceof RecordsOfficer) {
    for (const statement of statements) officer.addToPolicy(statement)
    if (key)
      officer.addToPolicy(
        new iam.PolicyStatement({
          ...useKey,
          resources: [key.keyArn],
          conditions: throughS3(archive, [archive]),
        }),
      )
    return
  }
  const principals = [new iam.ArnPrincipal(officer.roleArn)]
  for (const statement of statements) {
    statement.addPrincipals(...principals)
    archive.addToResourcePolicy(statement)
  }
  // In a key policy `*` is the key. It does not name the bucket, which names the key.
  key?.addToResourcePolicy(
    new iam.PolicyStatement({ ...useKey, principals, resources: ['*'], conditions: throughS3(archive) }),
  )
}
