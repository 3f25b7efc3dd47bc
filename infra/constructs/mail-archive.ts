import { Annotations, CfnResource, Duration, RemovalPolicy, Stack, Token, Validations } from 'aws-cdk-lib'
import type * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { RetentionConfig } from '../../shared/contract/config.ts'
import { AccessLogs } from './access-logs.ts'
import { acknowledge } from './acknowledged.ts'
import { ArchiveKey } from './archive-key.ts'
import { protectArchive } from './archive-policy.ts'
import { empower, RecordsOfficer } from './records-officer.ts'
import { type ReplicationTarget, replicate } from './replication.ts'
import { SealKey } from './seal-key.ts'
import type { BucketNames } from './through-s3.ts'

export interface ColdStorage {
  /** Age at which mail moves, 30 days at least. */
  readonly afterDays: number
  /** Classes that answer at once: `archive get`, `verify` and `replay` read mail of any age. */
  readonly class: 'standard-ia' | 'glacier-instant-retrieval'
  /** Smaller mail stays where it is, 131,072 at least: colder classes bill 128 KiB for anything smaller. */
  readonly minimumOctets: number
}

/** A mailbox whose mail is kept by another rule than the bucket's default. */
export interface OwnRetention {
  readonly mailbox: string
  readonly retention: RetentionConfig
}

export interface MailArchiveProps {
  /** Kept this long by default, counted from each message's arrival. `compliance` is final: nobody can take it back. */
  readonly retention: RetentionConfig
  /** @default made by CloudFormation from the stack's name */
  readonly bucketName?: string | undefined
  /** @default made by CloudFormation from the stack's name */
  readonly stateBucketName?: string | undefined
  /** @default made by CloudFormation from the stack's name */
  readonly derivedBucketName?: string | undefined
  /**
   * `kms`: a customer-managed key with rotation and bucket keys. `s3`: keys that S3 owns.
   * @default kms
   */
  readonly encryption?: 'kms' | 's3' | undefined
  /** New mail is held until its event hold is released, and for this many days more. @default no event hold */
  readonly eventHold?: { readonly days: number } | undefined
  /**
   * The one role that may delete versions, lift retention, release holds and change the lock configuration.
   * @default a role of this construct, which people of the account assume with MFA
   */
  readonly recordsOfficer?: iam.IRole | undefined
  /**
   * Roles (ARNs; `*` and `?` may stand in them) that may change the bucket's policy, lifecycle, encryption and replication.
   * @default the role with which CloudFormation deploys for the CDK in this account
   */
  readonly deployers?: readonly string[] | undefined
  /** Lets the deployers change the lock configuration too, to deploy another retention. @default false */
  readonly retentionChange?: boolean | undefined
  /** @default no mail moves to colder storage */
  readonly coldStorage?: ColdStorage | undefined
  /** Mailboxes with a retention of their own. @default none: no drain may send lock headers */
  readonly ownRetentions?: readonly OwnRetention[] | undefined
  /** @default no copy */
  readonly replication?: ReplicationTarget | undefined
  /** ARN of the role of an archive in another account that replicates into this one. @default nobody of another account */
  readonly replicatesFrom?: string | undefined
  /** Days until extracted attachments and long metadata expire: they can be made again. @default 90 */
  readonly derivedDays?: number | undefined
  /** Days that access logs are kept. @default 400 */
  readonly accessLogDays?: number | undefined
}

/** What a MailIngest needs of an archive. */
export interface IMailArchive {
  /** Versioned, under Object Lock: raw mail and ledgers. */
  readonly archiveBucket: BucketNames
  /** Snapshots and the mailbox list; overwritten by compare-and-swap. */
  readonly stateBucket: BucketNames
  /** Extracted attachments and long metadata; expires. */
  readonly derivedBucket: BucketNames
  /** Encrypts all of them; undefined when S3 does. */
  readonly encryptionKey: kms.IKey | undefined
  /** Signs the seals over the ledgers. */
  readonly sealKey: kms.IKey
  /** Mailboxes with a retention of their own. */
  readonly ownRetentions: readonly OwnRetention[]
}

/**
 * The stores of Mailsluice: an archive bucket under Object Lock that only ever gains objects, a state bucket and a bucket for what is
 * derived from the mail. Everything stays when the stack is deleted.
 *
 * Whoever deletes the stack and deploys it again gives new buckets to the functions; the old ones keep their mail until their retention ends.
 */
export class MailArchive extends Construct implements IMailArchive {
  readonly archiveBucket: s3.Bucket
  readonly stateBucket: s3.Bucket
  readonly derivedBucket: s3.Bucket
  readonly accessLogsBucket: s3.Bucket
  readonly encryptionKey: kms.Key | undefined
  readonly sealKey: SealKey
  readonly recordsOfficer: iam.IRole
  readonly ownRetentions: readonly OwnRetention[]
  /** Writes the copies; undefined without `replication`. */
  readonly replicationRole: iam.Role | undefined

  constructor(scope: Construct, id: string, props: MailArchiveProps) {
    super(scope, id)
    checkProps(props)
    this.ownRetentions = props.ownRetentions ?? []
    this.warnOfWhatIsFinal(props)

    const officer = props.recordsOfficer ?? new RecordsOfficer(this, 'RecordsOfficer')
    this.recordsOfficer = officer
    this.encryptionKey =
      props.encryption === 's3' ? undefined : new ArchiveKey(this, 'Key', { recordsOfficer: officer })
    this.sealKey = new SealKey(this, 'SealKey', { recordsOfficer: officer })
    const logs = new AccessLogs(this, 'AccessLogs', { days: props.accessLogDays ?? 400 })
    this.accessLogsBucket = logs.bucket

    this.archiveBucket = new s3.Bucket(this, 'Mail', {
      ...this.common(props.bucketName),
      versioned: true,
      objectLockEnabled: true,
      objectLockDefaultRetention:
        props.retention.mode === 'compliance'
          ? s3.ObjectLockRetention.compliance(Duration.days(props.retention.days))
          : s3.ObjectLockRetention.governance(Duration.days(props.retention.days)),
      lifecycleRules: lifecycleOf(props),
    })
    Validations.of(this.archiveBucket).acknowledge({
      id: 'CloudFormation-Validate::W9003',
      reason:
        'The CDK writes ObjectSizeGreaterThan as a number; CloudFormation takes it as the text that it asks for.',
    })
    tellOfNewObjects(this.archiveBucket)
    if (props.eventHold) defaultEventHold(this.archiveBucket, props.eventHold.days)
    logs.of(this.archiveBucket, 'archive/')
    protectArchive(this.archiveBucket, {
      officer,
      deployers: props.deployers ?? [cdkDeployer(this)],
      retentionChange: props.retentionChange ?? false,
      encryptionKey: this.encryptionKey,
      ownRetentions: this.ownRetentions,
      replicatesFrom: props.replicatesFrom,
    })
    empower(officer, this.archiveBucket, this.encryptionKey)
    this.replicationRole =
      props.replication && replicate(this, this.archiveBucket, this.encryptionKey, props.replication)

    // No versions: a snapshot is written after every drain, and each would be kept. What is in it can be rebuilt or applied again.
    this.stateBucket = new s3.Bucket(this, 'State', {
      ...this.common(props.stateBucketName),
      lifecycleRules: [abortUploads],
    })
    logs.of(this.stateBucket, 'state/')

    this.derivedBucket = new s3.Bucket(this, 'Derived', {
      ...this.common(props.derivedBucketName),
      lifecycleRules: [
        abortUploads,
        { id: 'expire-what-can-be-made-again', expiration: Duration.days(props.derivedDays ?? 90) },
      ],
    })
    logs.of(this.derivedBucket, 'derived/')

    if (!props.replication) acknowledge(this.archiveBucket, 'noCopyUnlessWanted')
    acknowledge(this.stateBucket, 'noCopyOfWhatCanBeMadeAgain', 'noVersionsOfCaches')
    acknowledge(this.derivedBucket, 'noCopyOfWhatCanBeMadeAgain', 'noVersionsOfDerived')
    if (!this.encryptionKey)
      for (const bucket of [this.archiveBucket, this.stateBucket, this.derivedBucket])
        acknowledge(bucket, 'encryptedByS3')

    // Not the buckets alone: without its policy a bucket that stays would take deletions from any administrator, and without the officer
    // nobody could lift what the policy keeps.
    for (const resource of this.node.findAll())
      if (CfnResource.isCfnResource(resource)) resource.applyRemovalPolicy(RemovalPolicy.RETAIN)
  }

  private common(bucketName: string | undefined): s3.BucketProps {
    return {
      ...(bucketName === undefined ? {} : { bucketName }),
      ...(this.encryptionKey
        ? // The bucket key saves one request to KMS for each message: 3 USD a million.
          {
            encryption: s3.BucketEncryption.KMS,
            encryptionKey: this.encryptionKey,
            bucketKeyEnabled: true,
          }
        : { encryption: s3.BucketEncryption.S3_MANAGED }),
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
    }
  }

  private warnOfWhatIsFinal({ retention, retentionChange }: MailArchiveProps): void {
    const final = [
      ...(retention.mode === 'compliance' ? ['the archive'] : []),
      ...this.ownRetentions.flatMap(({ mailbox, retention: own }) =>
        own.mode === 'compliance' ? [`mailbox ${mailbox}`] : [],
      ),
    ]
    if (final.length > 0)
      Annotations.of(this).addWarningV2(
        'mailsluice:compliance-is-final',
        `Mail of ${final.join(', ')} is kept in compliance mode. That is final for every message stored: nobody, not even the account's root user, can delete it, shorten its retention or encrypt it with another key before its time; only closing the account ends it.`,
      )
    if (retentionChange)
      Annotations.of(this).addWarningV2(
        'mailsluice:retention-may-change',
        'A deployment may change the lock configuration while aws.retentionChange is true. Take it out again with the deployment after the change.',
      )
  }
}

/** To EventBridge, where whoever wants to know about new segments of ledgers makes a rule. The CDK's own way would take a function that may change buckets. */
function tellOfNewObjects(bucket: s3.Bucket): void {
  const resource = bucket.node.defaultChild as s3.CfnBucket
  resource.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } }
}

const abortUploads: s3.LifecycleRule = {
  id: 'abort-incomplete-uploads',
  abortIncompleteMultipartUploadAfter: Duration.days(7),
}

/**
 * No rule here expires anything: an expiration would put a delete marker over a locked version, and under a delete marker a key is free
 * for `If-None-Match` again. Ledgers stay in the standard class, for they are read whenever a snapshot is lost.
 */
function lifecycleOf({ coldStorage }: MailArchiveProps): s3.LifecycleRule[] {
  if (!coldStorage) return [abortUploads]
  const storageClass =
    coldStorage.class === 'standard-ia'
      ? s3.StorageClass.INFREQUENT_ACCESS
      : s3.StorageClass.GLACIER_INSTANT_RETRIEVAL
  return [
    abortUploads,
    {
      id: 'large-old-mail-to-colder-storage',
      prefix: 'raw/',
      objectSizeGreaterThan: coldStorage.minimumOctets,
      transitions: [{ storageClass, transitionAfter: Duration.days(coldStorage.afterDays) }],
    },
  ]
}

/** The L2 construct does not know event holds yet. */
function defaultEventHold(bucket: s3.Bucket, days: number): void {
  const resource = bucket.node.defaultChild as s3.CfnBucket
  resource.addPropertyOverride('ObjectLockConfiguration.Rule.DefaultRetention.DefaultEventHold', {
    Days: days,
  })
}

/** The role that `cdk bootstrap` makes for CloudFormation, whatever its qualifier: it can be assumed by CloudFormation alone. */
function cdkDeployer(scope: Construct): string {
  const { partition, account } = Stack.of(scope)
  return `arn:${partition}:iam::${account}:role/cdk-*-cfn-exec-role-*`
}

/** For those who use the construct without mailsluice.yaml, whose schema says the same. */
function checkProps({ retention, coldStorage }: MailArchiveProps): void {
  if (!Token.isUnresolved(retention.days) && retention.days < 1)
    throw new RangeError(`MailArchive: retention.days is ${retention.days}; expected at least 1`)
  if (coldStorage && coldStorage.minimumOctets < 131_072)
    throw new RangeError(
      `MailArchive: coldStorage.minimumOctets is ${coldStorage.minimumOctets}; expected at least 131072`,
    )
}
