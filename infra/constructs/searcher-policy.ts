import { ArnFormat, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { LEDGER_TABLES } from '../../shared/contract/ledger-table.ts'
import { CASES_PREFIX, LEDGERS_PREFIX, SEARCHES_PREFIX } from '../../shared/contract/object-key.ts'
import { acknowledgePrefixesOf } from './acknowledged.ts'
import { type BucketNames, throughS3 } from './through-s3.ts'

export interface SearcherPolicyProps {
  /** Of the deployment; its workgroup has the same. */
  readonly deployment: string
  readonly database: string
  readonly archiveBucket: BucketNames
  readonly derivedBucket: BucketNames
  readonly encryptionKey: kms.IKey | undefined
}

/**
 * What `mailsluice archive search --stack` takes, for people and roles to attach: queries in the workgroup, ledgers and cases, and the answers. It reads no
 * mail and writes nothing to the archive. Athena asks S3, KMS and Glue in the name of who searches.
 */
export class SearcherPolicy extends iam.ManagedPolicy {
  constructor(scope: Construct, id: string, props: SearcherPolicyProps) {
    super(scope, id, {
      description: 'Mailsluice: search the ledgers by Athena; reads no mail',
      statements: statementsOf(scope, props),
    })
    acknowledgePrefixesOf(this, () => this.document)
  }
}

function statementsOf(
  scope: Construct,
  { deployment, database, archiveBucket, derivedBucket, encryptionKey }: SearcherPolicyProps,
): iam.PolicyStatement[] {
  const stack = Stack.of(scope)
  const arn = (service: string, resource: string, resourceName?: string): string =>
    stack.formatArn({
      service,
      resource,
      ...(resourceName === undefined
        ? { arnFormat: ArnFormat.NO_RESOURCE_NAME }
        : { resourceName, arnFormat: ArnFormat.SLASH_RESOURCE_NAME }),
    })
  const answers = derivedBucket.arnForObjects(`${SEARCHES_PREFIX}*`)
  const listing = (sid: string, bucket: BucketNames, prefixes: readonly string[]): iam.PolicyStatement =>
    new iam.PolicyStatement({
      sid,
      actions: ['s3:ListBucket'],
      resources: [bucket.bucketArn],
      conditions: { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } },
    })
  return [
    new iam.PolicyStatement({
      sid: 'FindTheDeployment',
      actions: ['cloudformation:DescribeStacks'],
      resources: [arn('cloudformation', 'stack', `${stack.stackName}/*`)],
    }),
    new iam.PolicyStatement({
      sid: 'RunQueries',
      actions: [
        'athena:StartQueryExecution',
        'athena:GetQueryExecution',
        'athena:GetQueryResults',
        'athena:StopQueryExecution',
      ],
      resources: [arn('athena', 'workgroup', deployment)],
    }),
    new iam.PolicyStatement({
      sid: 'ReadTables',
      // Athena asks for the default database whatever the query names (AWS, Athena user guide, "Configure access to databases and tables").
      actions: ['glue:GetDatabase', 'glue:GetTable', 'glue:GetPartitions'],
      resources: [
        arn('glue', 'catalog'),
        arn('glue', 'database', 'default'),
        arn('glue', 'database', database),
        ...Object.values(LEDGER_TABLES).map((table) => arn('glue', 'table', `${database}/${table}`)),
      ],
    }),
    new iam.PolicyStatement({
      sid: 'ReadLedgersAndCases',
      actions: ['s3:GetObject'],
      resources: [
        archiveBucket.arnForObjects(`${LEDGERS_PREFIX}*`),
        archiveBucket.arnForObjects(`${CASES_PREFIX}*`),
      ],
    }),
    listing('ListLedgersAndCases', archiveBucket, [LEDGERS_PREFIX, CASES_PREFIX]),
    new iam.PolicyStatement({
      sid: 'KeepAnswers',
      actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      resources: [answers],
    }),
    listing('ListAnswers', derivedBucket, [SEARCHES_PREFIX]),
    new iam.PolicyStatement({
      sid: 'FindBuckets',
      actions: ['s3:GetBucketLocation'],
      resources: [archiveBucket.bucketArn, derivedBucket.bucketArn],
    }),
    new iam.PolicyStatement({
      sid: 'FindUploads',
      actions: ['s3:ListBucketMultipartUploads'],
      resources: [derivedBucket.bucketArn],
    }),
    ...(encryptionKey
      ? [
          new iam.PolicyStatement({
            sid: 'UseTheKey',
            actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
            resources: [encryptionKey.keyArn],
            conditions: throughS3(scope, [archiveBucket, derivedBucket]),
          }),
        ]
      : []),
  ]
}
