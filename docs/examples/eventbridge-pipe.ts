import { App, RemovalPolicy, Stack } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as pipes from 'aws-cdk-lib/aws-pipes'
import * as sqs from 'aws-cdk-lib/aws-sqs'

// EventBridge: a pipe takes events from a queue of Mailsluice to a bus, where rules send them on. What a rule's target gets as `detail` is the event;
// `readEvent` of mailsluice/consumer takes the whole as it comes. Deploy it beside the stacks of Mailsluice: `queueArn` is an event queue of theirs.
//
//   npx cdk synth --app 'node docs/examples/eventbridge-pipe.ts' -c queueArn=arn:aws:sqs:eu-central-1:111122223333:mail-events

const app = new App()
const stack = new Stack(app, 'mail-bus')
const queueArn =
  (app.node.tryGetContext('queueArn') as string | undefined) ??
  `arn:aws:sqs:${stack.region}:${stack.account}:mail-events`

const queue = sqs.Queue.fromQueueArn(stack, 'Events', queueArn)
const bus = new events.EventBus(stack, 'Bus', { eventBusName: 'mail' })

const role = new iam.Role(stack, 'PipeRole', { assumedBy: new iam.ServicePrincipal('pipes.amazonaws.com') })
queue.grantConsumeMessages(role)
bus.grantPutEventsTo(role)

new pipes.CfnPipe(stack, 'Pipe', {
  roleArn: role.roleArn,
  source: queueArn,
  sourceParameters: {
    sqsQueueParameters: { batchSize: 10 },
    // Mail alone: what concerns mailboxes is for operators. What no filter takes is gone from the queue; leave it out if others are to see it.
    filterCriteria: {
      filters: [{ pattern: JSON.stringify({ body: { type: ['mailsluice.message.archived.v1'] } }) }],
    },
  },
  target: bus.eventBusArn,
  targetParameters: {
    eventBridgeEventBusParameters: { source: 'mailsluice', detailType: 'mailsluice.message.archived.v1' },
    // The body of the record is JSON in a string; a pipe parses it and passes on the event alone.
    inputTemplate: '<$.body>',
  },
})

// An example of what hangs on the bus: whatever holds an invoice, to a queue of the accounts department.
const deadLetters = new sqs.Queue(stack, 'AccountsDeadLetters', { enforceSSL: true })
const accounts = new sqs.Queue(stack, 'Accounts', {
  enforceSSL: true,
  deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
  removalPolicy: RemovalPolicy.DESTROY,
})
new events.Rule(stack, 'Invoices', {
  eventBus: bus,
  eventPattern: {
    source: ['mailsluice'],
    detail: {
      data: {
        class: ['ordinary'],
        attachments: { contentType: ['application/pdf', 'application/xml', 'text/xml'] },
      },
    },
  },
  targets: [new targets.SqsQueue(accounts)],
})

app.synth()
