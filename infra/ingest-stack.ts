import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { eventQueueOutput, OUTPUTS } from '../shared/contract/deployment.ts'
import { MailIngest, type MailIngestProps } from './constructs/mail-ingest.ts'

/** What can be deployed again at any time: nothing in it is kept but logs and undelivered events. */
export class IngestStack extends Stack {
  readonly ingest: MailIngest

  constructor(scope: Construct, id: string, { ingest, ...props }: StackProps & { ingest: MailIngestProps }) {
    super(scope, id, { description: 'Mailsluice: schedule, probes, drains, queues and alarms', ...props })
    this.ingest = new MailIngest(this, 'MailIngest', ingest)
    const { drainRequests, eventQueues, alarmTopic, dashboard, functions, network } = this.ingest
    const names = OUTPUTS.ingest
    new CfnOutput(this, names.drainRequestsUrl, { value: drainRequests.queue.queueUrl })
    for (const [name, { queue }] of Object.entries(eventQueues))
      if (queue) new CfnOutput(this, eventQueueOutput(name), { value: queue.queueUrl })
    new CfnOutput(this, names.alarmTopic, { value: alarmTopic.topicArn })
    new CfnOutput(this, names.dashboard, { value: dashboard.dashboardName })
    new CfnOutput(this, names.drainRole, { value: functions['drain-mailbox'].role.roleArn })
    if (network) new CfnOutput(this, names.staticAddress, { value: network.address })
  }
}
