import { Stack } from 'aws-cdk-lib'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'

/** A bucket as far as policies and functions know it: its names. */
export type BucketNames = Pick<s3.IBucket, 'bucketArn' | 'bucketName' | 'arnForObjects'>

/**
 * Conditions of a statement about a key: used through S3 alone, and for these buckets. With a bucket key, S3 names the bucket and not
 * the object in the encryption context.
 */
export function throughS3(
  scope: Construct,
  buckets: readonly BucketNames[] = [],
): { [operator: string]: { [key: string]: string | string[] } } {
  const { region, urlSuffix } = Stack.of(scope)
  return {
    StringEquals: {
      'kms:ViaService': `s3.${region}.${urlSuffix}`,
      ...(buckets.length > 0 && {
        'kms:EncryptionContext:aws:s3:arn': buckets.map(({ bucketArn }) => bucketArn),
      }),
    },
  }
}
