import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'

/** Encrypts logs and alarms, which name mailboxes and servers. Not the key of the mail, so that neither CloudWatch nor SNS may use that. */
export class OperationsKey extends kms.Key {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Mailsluice: logs and alarms of the ingest',
      enableKeyRotation: true,
      // Logs outlive the stack and cannot be read without it.
      removalPolicy: RemovalPolicy.RETAIN,
    })
    const stack = Stack.of(this)
    this.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'EncryptLogs',
        principals: [new iam.ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
        resources: ['*'],
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': stack.formatArn({
              service: 'logs',
              resource: 'log-group',
              resourceName: '*',
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          },
        },
      }),
    )
    this.addToResourcePolicy(
      new iam.PolicyStatement({
        // Whose alarms may be published is the topic's to say; a condition that CloudWatch does not meet would silence them all.
        sid: 'EncryptAlarms',
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'],
      }),
    )
  }
}
