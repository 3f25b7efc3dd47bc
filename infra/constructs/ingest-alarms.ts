import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions'
import type * as ecs from 'aws-cdk-lib/aws-ecs'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { type AlarmKind, alarmName, MAILBOX_ALARMS_MOST } from '../../shared/contract/alarms.ts'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { FunctionName, OfFunctions } from '../../shared/contract/functions.ts'
import { CODE_DIMENSION, NOTICE_DAYS } from '../../shared/contract/metrics.ts'
import type { EventQueue } from './event-queue.ts'
import type { IngestFunction } from './ingest-function.ts'
import { alarmPeriod, byMailbox, countOf, total } from './ingest-metrics.ts'
import type { NewSegments } from './new-segments.ts'
import type { RequestQueue } from './request-queue.ts'

export interface IngestAlarmsProps {
  readonly deployment: string
  readonly topic: sns.ITopic
  readonly mailboxes: readonly Pick<MailboxConfig, 'id' | 'every' | 'canary'>[]
  readonly missedIntervals: number
  readonly queueAgeMinutes: number
  readonly functions: OfFunctions<IngestFunction>
  readonly requests: Readonly<Record<'probe' | 'drain', RequestQueue>>
  readonly scheduleDeadLetters: sqs.Queue
  readonly newSegments: NewSegments
  /** Undefined when nothing is verified. */
  readonly segmentsToVerify: NewSegments | undefined
  readonly events: Readonly<Record<string, EventQueue>>
  /** One service for each shard. */
  readonly relays: readonly ecs.FargateService[]
}

interface AlarmOptions {
  readonly metric: cloudwatch.IMetric
  readonly description: string
  /** One alarm for each of these. */
  readonly subject?: string
  /** @default at 1 or more */
  readonly threshold?: number
  readonly below?: boolean
  /** Periods in a row. @default 1 */
  readonly periods?: number
  /** Whether no data is what the alarm is about. @default false */
  readonly silenceBreaches?: boolean
}

/** What is wrong, by name, and where its remedy is written: docs/runbook.md, under the kind of the alarm. */
export class IngestAlarms extends Construct {
  readonly alarms: cloudwatch.Alarm[] = []
  private readonly props: IngestAlarmsProps

  constructor(scope: Construct, id: string, props: IngestAlarmsProps) {
    super(scope, id)
    this.props = props
    this.watchSchedule()
    this.watchMailboxes()
    this.watchSuspensions()
    this.watchConfiguration()
    this.watchCredentials()
    this.watchFunctions()
    this.watchQueues()
    this.watchMessages()
    this.watchHolds()
    this.watchVerification()
    this.watchRelays()
  }

  add(kind: AlarmKind, options: AlarmOptions): cloudwatch.Alarm {
    const { metric, description, subject, threshold = 1, below = false, periods = 1 } = options
    const alarm = new cloudwatch.Alarm(this, subject === undefined ? kind : `${kind}-${subject}`, {
      alarmName: alarmName(this.props.deployment, kind, subject),
      alarmDescription: `${description} Runbook: docs/runbook.md#${kind}`,
      metric,
      threshold,
      comparisonOperator: below
        ? cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        : cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: periods,
      datapointsToAlarm: periods,
      treatMissingData: options.silenceBreaches
        ? cloudwatch.TreatMissingData.BREACHING
        : cloudwatch.TreatMissingData.NOT_BREACHING,
    })
    alarm.addAlarmAction(new actions.SnsAction(this.props.topic))
    alarm.addOkAction(new actions.SnsAction(this.props.topic))
    this.alarms.push(alarm)
    return alarm
  }

  private watchSchedule(): void {
    const { deployment, functions, scheduleDeadLetters } = this.props
    this.add('schedule-silent', {
      description:
        'For a quarter of an hour nobody looked which mailboxes are due, or none is configured: no mail arrives.',
      metric: countOf(deployment, 'mailboxesConfigured', 'schedule-drains', {
        statistic: cloudwatch.Stats.MAXIMUM,
      }),
      below: true,
      periods: 3,
      silenceBreaches: true,
    })
    this.add('schedule-failing', {
      description: 'Ticks fail, or the schedule could not call its function.',
      metric: total(
        {
          errors: functions['schedule-drains'].function.metricErrors(),
          dead: waiting(scheduleDeadLetters),
        },
        'failed ticks',
      ),
      periods: 2,
    })
  }

  private watchMailboxes(): void {
    const { mailboxes, missedIntervals } = this.props
    if (mailboxes.length > MAILBOX_ALARMS_MOST) {
      this.add('mailbox-failing', {
        description: `The mailbox that contributes could not be looked at or drained for ${missedIntervals} intervals in a row.`,
        ...this.failuresOfAMailbox(slowest(mailboxes), undefined),
      })
      return
    }
    for (const { id, every } of mailboxes)
      this.add('mailbox-failing', {
        subject: id,
        description: `Mailbox ${id} could not be looked at or drained for ${missedIntervals} intervals in a row.`,
        ...this.failuresOfAMailbox(alarmPeriod(every), id),
      })
  }

  /** A failure in every interval is no blip. */
  private failuresOfAMailbox(period: Duration, mailbox: string | undefined) {
    // CloudWatch looks back a day, or a week where periods are an hour or longer.
    const lookBack = period.toHours({ integral: false }) >= 1 ? Duration.days(7) : Duration.days(1)
    const most = Math.floor(lookBack.toSeconds() / period.toSeconds())
    return {
      metric: byMailbox('mailboxFailures', {
        deployment: this.props.deployment,
        further: [CODE_DIMENSION],
        mailbox,
        period,
      }),
      periods: Math.min(this.props.missedIntervals, most),
    }
  }

  /** Every visit to such a mailbox counts, so that the alarm lasts as long as the suspension; for one that is visited less than hourly it comes again. */
  private watchSuspensions(): void {
    const { deployment, mailboxes } = this.props
    const period = Duration.seconds(Math.min(slowest(mailboxes).toSeconds(), 3600))
    this.add('mailbox-suspended', {
      description:
        'The mailbox that contributes is not signed in to any more by itself, or only after long pauses: its password, certificate or right has to be corrected.',
      metric: byMailbox('mailboxSuspensions', { deployment, further: [], period }),
    })
  }

  /** A mailbox that was deployed and never applied fails nowhere: only counting finds it. */
  private watchConfiguration(): void {
    const { deployment, mailboxes } = this.props
    this.add('mailboxes-unvisited', {
      description: `The stack was deployed for ${mailboxes.length} mailboxes, and fewer are applied: nobody visits the others.`,
      metric: countOf(deployment, 'mailboxesConfigured', 'schedule-drains', {
        statistic: cloudwatch.Stats.MAXIMUM,
      }),
      threshold: mailboxes.length,
      below: true,
      periods: 3,
    })
  }

  /** Three, for whoever did not act upon the first. */
  private watchCredentials(): void {
    const { deployment } = this.props
    // A mailbox may be looked at once a day.
    const period = Duration.days(1)
    for (const days of NOTICE_DAYS)
      this.add('credential-expiring', {
        subject: `${days}d`,
        description: `What the mailbox that contributes signs in with, or a CA that it trusts, runs out in less than ${days === 1 ? 'a day' : `${days} days`}.`,
        metric: byMailbox('credentialDaysLeft', { deployment, further: [], period }),
        threshold: days,
        below: true,
      })
  }

  private watchFunctions(): void {
    // The other's errors are failing ticks.
    for (const [name, { function: it }] of Object.entries(this.props.functions))
      if (name !== ('schedule-drains' satisfies FunctionName))
        this.add('function-failing', {
          subject: name,
          description: `${name} fails with a defect or runs into its timeout; what goes wrong with a mailbox does not count here.`,
          metric: it.metricErrors(),
          periods: 2,
        })
  }

  private watchQueues(): void {
    const { requests, queueAgeMinutes, events } = this.props
    for (const [name, { queue, deadLetters }] of Object.entries(requests)) {
      this.add('requests-old', {
        subject: name,
        description: `A ${name} request has waited for ${queueAgeMinutes} minutes: mail is late.`,
        metric: queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(5) }),
        threshold: queueAgeMinutes * 60,
      })
      this.add('requests-dead', {
        subject: name,
        description: `A ${name} request failed three times.`,
        metric: waiting(deadLetters),
      })
    }
    for (const [name, { deadLetters }] of Object.entries(events))
      if (deadLetters)
        this.add('events-dead', {
          subject: name,
          description: `A consumer of the queue ${name} failed with an event as often as it is delivered.`,
          metric: waiting(deadLetters),
        })
  }

  private watchMessages(): void {
    const { deployment } = this.props
    this.add('events-pending', {
      description: 'Mail is archived and SQS does not take its events; they are pending in the ledgers.',
      metric: countOf(deployment, 'messagesPending', 'drain-mailbox'),
      periods: 3,
    })
    this.add('archive-write-denied', {
      description: 'The archive refuses a read or write of the functions: no mailbox is drained.',
      metric: total(
        {
          drains: countOf(deployment, 'mailboxFailures', 'drain-mailbox', { code: 'ARCHIVE_DENIED' }),
          probes: countOf(deployment, 'mailboxFailures', 'probe-mailboxes', { code: 'ARCHIVE_DENIED' }),
        },
        'denied',
      ),
    })
    this.add('quarantine-grew', {
      description: 'A message could not be fetched five times and was given up for now; its mailbox goes on.',
      metric: countOf(deployment, 'messagesQuarantined', 'drain-mailbox'),
    })
  }

  /** Until it is held, a message is kept by its retention alone. */
  private watchHolds(): void {
    const { queue, deadLetters } = this.props.newSegments
    this.add('new-mail-unheld', {
      subject: 'late',
      description: 'For five minutes new mail was not compared with the open cases of legal hold.',
      metric: queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(1) }),
      threshold: 300,
    })
    this.add('new-mail-unheld', {
      subject: 'dead',
      description: 'New mail could not be compared with the open cases of legal hold.',
      metric: waiting(deadLetters),
    })
  }

  private watchVerification(): void {
    const { segmentsToVerify } = this.props
    if (segmentsToVerify)
      this.add('new-mail-unverified', {
        description: 'DKIM, SPF and DMARC of new mail could not be verified, or nobody could be told.',
        metric: waiting(segmentsToVerify.deadLetters),
      })
  }

  private watchRelays(): void {
    for (const [index, service] of this.props.relays.entries())
      this.add('relay-down', {
        subject: `shard-${index}`,
        description: `Shard ${index} of the relay does not run: its mailboxes are drained when they are due, and not at once.`,
        metric: new cloudwatch.Metric({
          namespace: 'ECS/ContainerInsights',
          metricName: 'RunningTaskCount',
          dimensionsMap: { ClusterName: service.cluster.clusterName, ServiceName: service.serviceName },
          statistic: cloudwatch.Stats.AVERAGE,
          period: Duration.minutes(5),
        }),
        below: true,
        periods: 2,
        silenceBreaches: true,
      })
    if (this.props.relays.length === 0) return
    const { deployment, mailboxes } = this.props
    this.add('relay-unwatched', {
      description:
        'For half an hour the relay has had no connection to some mailbox: it is drained when it is due, and not at once. The metric RelaySilence has it by name.',
      metric: countOf(deployment, 'relayUnwatched', 'idle-relay', { statistic: cloudwatch.Stats.MAXIMUM }),
      periods: 6,
    })
    if (mailboxes.some(({ canary }) => canary !== undefined))
      this.add('canary-lost', {
        description: 'A message that was put into a mailbox to see whether mail comes through did not.',
        metric: countOf(deployment, 'canariesLost', 'idle-relay'),
      })
  }
}

/** SQS tells nothing of a queue that was empty for six hours, which is as it should be. */
function waiting(queue: sqs.IQueue): cloudwatch.Metric {
  return queue.metricApproximateNumberOfMessagesVisible({
    period: Duration.minutes(5),
    statistic: cloudwatch.Stats.MAXIMUM,
  })
}

/** The interval of the mailbox that is visited least. */
function slowest(mailboxes: IngestAlarmsProps['mailboxes']): Duration {
  return Duration.seconds(Math.max(...mailboxes.map(({ every }) => alarmPeriod(every).toSeconds())))
}
