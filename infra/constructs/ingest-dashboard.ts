import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import type { OfFunctions } from '../../shared/contract/functions.ts'
import {
  CODE_DIMENSION,
  DEPLOYMENT_DIMENSION,
  FUNCTION_DIMENSION,
  LOOKED_AT,
  MAILBOX_DIMENSION,
  METRIC_NAMESPACE,
  METRICS,
} from '../../shared/contract/metrics.ts'
import { PRICE_OF_A_MESSAGE, PRICES, PRICES_AS_OF } from '../../shared/contract/prices.ts'
import type { EventQueue } from './event-queue.ts'
import type { IngestFunction } from './ingest-function.ts'
import { countOf } from './ingest-metrics.ts'
import type { RequestQueue } from './request-queue.ts'

export interface IngestDashboardProps {
  readonly deployment: string
  readonly functions: OfFunctions<IngestFunction>
  readonly requests: Readonly<Record<'probe' | 'drain', RequestQueue>>
  readonly events: Readonly<Record<string, EventQueue>>
  readonly alarms: readonly cloudwatch.IAlarm[]
  /** Whether a relay watches mailboxes. */
  readonly relay: boolean
}

/** One page: is mail flowing, which mailboxes fail, what waits, what it costs. */
export class IngestDashboard extends cloudwatch.Dashboard {
  constructor(scope: Construct, id: string, props: IngestDashboardProps) {
    super(scope, id, {
      dashboardName: props.deployment,
      defaultInterval: Duration.days(1),
      periodOverride: cloudwatch.PeriodOverride.AUTO,
    })
    this.addWidgets(
      new cloudwatch.AlarmStatusWidget({ title: 'Alarms', width: 24, height: 4, alarms: [...props.alarms] }),
    )
    this.addWidgets(...flow(props))
    this.addWidgets(...trouble(props))
    this.addWidgets(...lag(props))
    this.addWidgets(...queues(props))
  }
}

function flow({ deployment }: IngestDashboardProps): cloudwatch.IWidget[] {
  const drain = (name: keyof typeof METRICS, label: string): cloudwatch.Metric =>
    countOf(deployment, name, 'drain-mailbox', { label })
  return [
    graph('Messages', [
      drain('messagesAnnounced', 'archived and announced'),
      drain('messagesPending', 'archived, event pending'),
      drain('messagesFailed', 'failed, will be tried again'),
      drain('messagesQuarantined', 'quarantined'),
    ]),
    graph('Octets fetched', [drain('octetsFetched', 'octets')]),
    graph('Looks and drains', [
      countOf(deployment, 'mailboxesDue', 'schedule-drains', { label: 'mailboxes due' }),
      countOf(deployment, 'mailboxesProbed', 'probe-mailboxes', { label: 'mailboxes looked at' }),
      countOf(deployment, 'drainsRequested', 'probe-mailboxes', { label: 'drains asked for' }),
      drain('drains', 'drains'),
    ]),
  ]
}

function trouble({ deployment, functions }: IngestDashboardProps): cloudwatch.IWidget[] {
  const schema = [
    METRIC_NAMESPACE,
    DEPLOYMENT_DIMENSION,
    FUNCTION_DIMENSION,
    CODE_DIMENSION,
    MAILBOX_DIMENSION,
  ]
  return [
    new cloudwatch.GraphWidget({
      title: 'Failing mailboxes: how often since when, by mailbox and code',
      width: 16,
      left: [
        new cloudwatch.MathExpression({
          expression: `SEARCH('{${schema.join(',')}} MetricName="${METRICS.mailboxFailures}" ${DEPLOYMENT_DIMENSION}="${deployment}"', 'Sum')`,
          usingMetrics: {},
          period: Duration.minutes(5),
          label: '',
        }),
      ],
    }),
    graph(
      'Function errors and durations',
      Object.values(functions).map((it) => it.function.metricErrors()),
      Object.values(functions).map((it) => it.function.metricDuration({ statistic: 'p99' })),
    ),
  ]
}

/** By mailbox, from the logs: a metric for each would cost 0.30 USD a month. */
function lag({ deployment, functions, relay }: IngestDashboardProps): cloudwatch.IWidget[] {
  const watched = (name: 'relayWatched' | 'relayUnwatched', label: string): cloudwatch.Metric =>
    countOf(deployment, name, 'idle-relay', { label, statistic: cloudwatch.Stats.AVERAGE })
  return [
    new cloudwatch.LogQueryWidget({
      title: 'Lag by mailbox: who was looked at longest ago',
      width: relay ? 16 : 24,
      view: cloudwatch.LogQueryVisualizationType.TABLE,
      logGroupNames: [functions['probe-mailboxes'].logGroup.logGroupName],
      queryLines: [
        'filter message = "probed"',
        'fields jsonParse(@message) as line',
        `unnest line.${LOOKED_AT} into mailbox`,
        'stats max(@timestamp) as lookedAt by mailbox',
        'sort lookedAt asc',
        'limit 25',
      ],
    }),
    ...(relay
      ? [
          graph('Relay: mailboxes with and without a connection', [
            watched('relayWatched', 'connected'),
            watched('relayUnwatched', 'not connected'),
          ]),
        ]
      : []),
  ]
}

function queues({ requests, events, ...props }: IngestDashboardProps): cloudwatch.IWidget[] {
  const ages = Object.entries(requests).map(([name, { queue }]) =>
    queue.metricApproximateAgeOfOldestMessage({ label: `${name} requests` }),
  )
  const ours = Object.entries(events).filter(([, { queue }]) => queue)
  const dead = [
    ...Object.entries(requests).map(([name, { deadLetters }]) => [`${name} requests`, deadLetters] as const),
    ...ours.map(([name, { deadLetters }]) => [name, deadLetters] as const),
  ]
  return [
    graph('Lag: age of the oldest request and event, seconds', [
      ...ages,
      ...ours.flatMap(([name, { queue }]) =>
        queue ? [queue.metricApproximateAgeOfOldestMessage({ label: name })] : [],
      ),
    ]),
    graph(
      'Dead letters',
      dead.flatMap(([label, queue]) =>
        queue
          ? [queue.metricApproximateNumberOfMessagesVisible({ label, statistic: cloudwatch.Stats.MAXIMUM })]
          : [],
      ),
    ),
    cost(props),
  ]
}

/** The variable part: functions, and for each message its PUT and its share of the queue requests. Storage and logs are not in it. */
function cost({
  deployment,
  functions,
}: Pick<IngestDashboardProps, 'deployment' | 'functions'>): cloudwatch.IWidget {
  const usingMetrics: Record<string, cloudwatch.IMetric> = {
    messages: countOf(deployment, 'messagesAnnounced', 'drain-mailbox'),
  }
  const terms = [`FILL(messages, 0) * ${PRICE_OF_A_MESSAGE.toFixed(9)}`]
  for (const [index, { function: it, memoryMib }] of Object.values(functions).entries()) {
    usingMetrics[`ms${index}`] = it.metricDuration({ statistic: cloudwatch.Stats.SUM })
    usingMetrics[`calls${index}`] = it.metricInvocations()
    const perMs = (memoryMib / 1024 / 1000) * PRICES.lambdaGigabyteSecond
    terms.push(
      `FILL(ms${index}, 0) * ${perMs.toFixed(14)} + FILL(calls${index}, 0) * ${PRICES.lambdaRequest.toFixed(9)}`,
    )
  }
  return new cloudwatch.GraphWidget({
    title: `Cost a day in USD, estimated (prices of ${PRICES_AS_OF}; without storage and logs)`,
    width: 8,
    left: [
      new cloudwatch.MathExpression({
        expression: terms.join(' + '),
        usingMetrics,
        period: Duration.days(1),
        label: 'USD a day',
      }),
    ],
  })
}

function graph(
  title: string,
  left: readonly cloudwatch.IMetric[],
  right: readonly cloudwatch.IMetric[] = [],
): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({ title, width: 8, left: [...left], right: [...right] })
}
