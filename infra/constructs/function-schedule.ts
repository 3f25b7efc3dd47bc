import { type Duration, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import * as scheduler from 'aws-cdk-lib/aws-scheduler'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledged.ts'

export interface FunctionScheduleProps {
  readonly description: string
  readonly target: lambda.IFunction
  readonly deadLetters: sqs.IQueue
  readonly rate: Duration
  /** A call may come later by this much, which spreads the load of a moment. A minute at least. */
  readonly window: Duration
  /** Scheduler fills in what it knows: `<aws.scheduler.scheduled-time>`. */
  readonly input: object
  /** How long a call is tried again that failed. */
  readonly worthFor: Duration
}

/**
 * Calls a function at a rate. A schedule for a function and not for each mailbox: a stack holds 500 resources, and the mailbox list changes without
 * a deployment.
 */
export class FunctionSchedule extends Construct {
  constructor(scope: Construct, id: string, props: FunctionScheduleProps) {
    super(scope, id)
    const { target, deadLetters } = props
    const group = new scheduler.ScheduleGroup(this, 'Group')
    const role = new iam.Role(this, 'Role', {
      description: 'Mailsluice: EventBridge Scheduler calls a function',
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
        // Scheduler names the group as the source, not the schedule.
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Stack.of(this).account,
            'aws:SourceArn': group.scheduleGroupArn,
          },
        },
      }),
    })
    acknowledge(role, 'ownPolicies')
    role.addToPolicy(
      new iam.PolicyStatement({
        sid: 'Tick',
        actions: ['lambda:InvokeFunction'],
        resources: [target.functionArn],
      }),
    )
    role.addToPolicy(
      new iam.PolicyStatement({
        sid: 'ReportFailures',
        actions: ['sqs:SendMessage'],
        resources: [deadLetters.queueArn],
      }),
    )
    const schedule = new scheduler.Schedule(this, 'Tick', {
      description: props.description,
      scheduleGroup: group,
      schedule: scheduler.ScheduleExpression.rate(props.rate),
      timeWindow: scheduler.TimeWindow.flexible(props.window),
      // Not the CDK's target, which would also allow every version of the function to be called.
      target: {
        bind: () => ({
          arn: target.functionArn,
          role,
          input: scheduler.ScheduleTargetInput.fromObject(props.input),
          retryPolicy: { maximumEventAgeInSeconds: props.worthFor.toSeconds(), maximumRetryAttempts: 3 },
          deadLetterConfig: { arn: deadLetters.queueArn },
        }),
      },
    })
    schedule.node.addDependency(role)
  }
}
