import { Duration, Stack } from 'aws-cdk-lib'
import * as athena from 'aws-cdk-lib/aws-athena'
import * as glue from 'aws-cdk-lib/aws-glue'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import {
  EXAMPLE_QUERY,
  LEDGER_LINE,
  LEDGER_TABLES,
  ledgerDatabase,
} from '../../shared/contract/ledger-table.ts'
import { LEDGERS_PREFIX, SEARCHES_PREFIX } from '../../shared/contract/object-key.ts'
import { SearcherPolicy } from './searcher-policy.ts'
import type { BucketNames } from './through-s3.ts'

export interface LedgerSearchProps {
  /** Of the deployment: the workgroup has it, and the database with underscores in place of hyphens. */
  readonly deployment: string
  readonly archiveBucket: BucketNames
  /** Keeps the answers. */
  readonly derivedBucket: s3.Bucket
  readonly encryptionKey: kms.IKey | undefined
  /** What one query may scan. @default 100 */
  readonly gigabytes?: number | undefined
  /** Days that answers are kept. @default 1 */
  readonly answerDays?: number | undefined
}

/**
 * What Athena needs to search the ledgers where they are: table definitions, a workgroup, and a policy for who searches. Nothing in it costs anything until
 * somebody searches, and nothing in it is data: it goes with its stack.
 */
export class LedgerSearch extends Construct {
  readonly workgroup: string
  readonly database: string
  readonly searcherPolicy: SearcherPolicy

  constructor(scope: Construct, id: string, props: LedgerSearchProps) {
    super(scope, id)
    const { deployment, archiveBucket, derivedBucket, encryptionKey, gigabytes = 100, answerDays = 1 } = props
    this.workgroup = deployment
    this.database = ledgerDatabase(deployment)
    const { account } = Stack.of(this)

    const database = new glue.CfnDatabase(this, 'Database', {
      catalogId: account,
      databaseInput: { name: this.database, description: `Mailsluice: the ledgers of ${deployment}` },
    })
    const tables = [
      ledgerTable(this, 'Every', { database, name: LEDGER_TABLES.every, bucket: archiveBucket }),
      ledgerTable(this, 'OfMailboxes', {
        database,
        name: LEDGER_TABLES.ofMailboxes,
        bucket: archiveBucket,
        partition: 'mailbox',
      }),
    ]

    derivedBucket.addLifecycleRule({
      id: 'answers-of-searches',
      prefix: SEARCHES_PREFIX,
      expiration: Duration.days(answerDays),
    })
    const workgroup = new athena.CfnWorkGroup(this, 'Workgroup', {
      name: deployment,
      description: `Mailsluice: searches over the ledgers of ${deployment}`,
      // Whose history of queries goes with it; it holds no data.
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        bytesScannedCutoffPerQuery: gigabytes * 1e9,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        publishCloudWatchMetricsEnabled: true,
        requesterPaysEnabled: false,
        resultConfiguration: {
          outputLocation: `s3://${derivedBucket.bucketName}/${SEARCHES_PREFIX}`,
          expectedBucketOwner: account,
          encryptionConfiguration: encryptionKey
            ? { encryptionOption: 'SSE_KMS', kmsKey: encryptionKey.keyArn }
            : { encryptionOption: 'SSE_S3' },
        },
      },
    })
    const example = new athena.CfnNamedQuery(this, 'Example', {
      name: 'The newest messages',
      description: 'Columns of the ledger out of its lines: a query to begin with.',
      database: this.database,
      workGroup: deployment,
      queryString: EXAMPLE_QUERY,
    })
    example.node.addDependency(workgroup, ...tables)
    this.searcherPolicy = new SearcherPolicy(this, 'Searcher', { ...props, database: this.database })
  }
}

interface LedgerTable {
  readonly database: glue.CfnDatabase
  readonly name: string
  readonly bucket: BucketNames
  /** Name of a column for the folder below `ledger/`. Queries name its values; no crawler ever has to. */
  readonly partition?: string
}

/** Lines of text: Hive's own delimiter of fields is a control character, which JSON never has in it. */
function ledgerTable(
  scope: Construct,
  id: string,
  { database, name, bucket, partition }: LedgerTable,
): glue.CfnTable {
  const location = `s3://${bucket.bucketName}/${LEDGERS_PREFIX}`
  return new glue.CfnTable(scope, id, {
    catalogId: Stack.of(scope).account,
    databaseName: database.ref,
    tableInput: {
      name,
      description: 'The ledgers, a row for each line: newline-delimited JSON, as it is stored',
      tableType: 'EXTERNAL_TABLE',
      parameters: {
        EXTERNAL: 'TRUE',
        ...(partition !== undefined && {
          'projection.enabled': 'true',
          [`projection.${partition}.type`]: 'injected',
          'storage.location.template': `${location}\${${partition}}/`,
        }),
      },
      partitionKeys: partition === undefined ? [] : [{ name: partition, type: 'string' }],
      storageDescriptor: {
        location,
        columns: [{ name: LEDGER_LINE, type: 'string' }],
        inputFormat: 'org.apache.hadoop.mapred.TextInputFormat',
        outputFormat: 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat',
        serdeInfo: {
          serializationLibrary: 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe',
          parameters: { 'serialization.format': '1' },
        },
      },
    },
  })
}
