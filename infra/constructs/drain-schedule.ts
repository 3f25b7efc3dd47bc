import { Duration, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import * as scheduler from 'aws-cdk-lib/aws-scheduler'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { TICK_INPUT } from '../../shared/contract/messages.ts'
import { acknowledge } from './acknowledged.ts'

export interface DrainScheduleProps {
  readonly target: lambda.IFunction
  readonly deadLetters: sqs.IQueue
  readonly tick: Duration
}

/**
 * Calls schedule-drains at every tick. One schedule for all mailboxes: a stack holds 500 resources, and the mailbox list changes without a
 * deployment. A tick may come up to a minute late, which spreads the load of a minute; it carries the time that it is meant for.
 */
export class DrainSchedule extends Construct {
  readonly group: scheduler.ScheduleGroup

  constructor(scope: Construct, id: string, { target, deadLetters, tick }: DrainScheduleProps) {
    super(scope, id)
    this.group = new scheduler.ScheduleGroup(this, 'Group')
    const role = new iam.Role(this, 'Role', {
      description: 'Mailsluice: EventBridge Scheduler calls schedule-drains',
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
        // Scheduler names the group as the source, not the schedule.
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Stack.of(this).account,
            'aws:SourceArn': this.group.scheduleGroupArn,
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
      description: 'Mailsluice: asks which mailboxes are due',
      scheduleGroup: this.group,
      schedule: scheduler.ScheduleExpression.rate(tick),
      timeWindow: scheduler.TimeWindow.flexible(Duration.minutes(1)),
      // Not the CDK's target, which would also allow every version of the function to be called.
      target: {
        bind: () => ({
          arn: target.functionArn,
          role,
          input: scheduler.ScheduleTargetInput.fromObject(TICK_INPUT),
          // Five minutes later the next ticks have done its work.
          retryPolicy: { maximumEventAgeInSeconds: 300, maximumRetryAttempts: 3 },
          deadLetterConfig: { arn: deadLetters.queueArn },
        }),
      },
    })
    schedule.node.addDependency(role)
  }
}
