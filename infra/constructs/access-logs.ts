import { Duration, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledged.ts'

export interface AccessLogsProps {
  readonly days: number
}

/**
 * Who read and wrote which object. S3 delivers such logs only to a bucket without Object Lock and encrypted by S3 itself, and late: within
 * hours, most of them. The bucket has no log of its own, which would log itself.
 */
export class AccessLogs extends Construct {
  readonly bucket: s3.Bucket

  constructor(scope: Construct, id: string, { days }: AccessLogsProps) {
    super(scope, id)
    this.bucket = new s3.Bucket(this, 'Bucket', {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      lifecycleRules: [
        {
          id: 'expire',
          expiration: Duration.days(days),
          abortIncompleteMultipartUploadAfter: Duration.days(7),
        },
      ],
    })
    acknowledge(this.bucket, 'accessLogsByS3', 'noCopyOfAccessLogs', 'noVersionsOfAccessLogs')
  }

  /** Logs requests to `bucket` under `prefix`. By hand, for what the CDK does here depends on a feature flag of the app. */
  of(bucket: s3.Bucket, prefix: string): void {
    const resource = bucket.node.defaultChild as s3.CfnBucket
    resource.loggingConfiguration = {
      destinationBucketName: this.bucket.bucketName,
      logFilePrefix: prefix,
    }
    this.bucket.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: `Deliver${prefix.charAt(0).toUpperCase()}${prefix.slice(1, -1)}`,
        principals: [new iam.ServicePrincipal('logging.s3.amazonaws.com')],
        actions: ['s3:PutObject'],
        resources: [this.bucket.arnForObjects(`${prefix}*`)],
        // By account and not by the bucket's ARN: that would make each bucket wait for the other.
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    )
  }
}
