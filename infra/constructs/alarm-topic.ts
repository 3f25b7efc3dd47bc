import { Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as sns from 'aws-cdk-lib/aws-sns'
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Construct } from 'constructs'
import { acknowledge } from './acknowledged.ts'

export interface AlarmTopicProps {
  /** Each is asked to confirm by mail. */
  readonly email: readonly string[]
  /** @default not encrypted */
  readonly key?: kms.IKey | undefined
}

/** Where alarms go: CloudWatch of this account publishes, nobody without TLS. */
export class AlarmTopic extends sns.Topic {
  constructor(scope: Construct, id: string, { email, key }: AlarmTopicProps) {
    super(scope, id, {
      displayName: 'Mailsluice alarms',
      enforceSSL: true,
      ...(key ? { masterKey: key } : {}),
    })
    this.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'AlarmsOfThisAccount',
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    )
    if (!key) acknowledge(this, 'alarmsInClear')
    for (const address of email) this.addSubscription(new subscriptions.EmailSubscription(address))
  }
}
