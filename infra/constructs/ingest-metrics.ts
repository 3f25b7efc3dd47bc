import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { durationMs } from '../../shared/contract/config.ts'
import type { FunctionName } from '../../shared/contract/functions.ts'
import {
  CODE_DIMENSION,
  DEPLOYMENT_DIMENSION,
  FUNCTION_DIMENSION,
  MAILBOX_DIMENSION,
  METRIC_NAMESPACE,
  METRICS,
} from '../../shared/contract/metrics.ts'

/** A count of one function; summed over five minutes unless said otherwise. */
export function countOf(
  deployment: string,
  name: keyof typeof METRICS,
  from: FunctionName | 'idle-relay',
  options: { readonly code?: string; readonly statistic?: string; readonly label?: string } = {},
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: METRIC_NAMESPACE,
    metricName: METRICS[name],
    dimensionsMap: {
      [DEPLOYMENT_DIMENSION]: deployment,
      [FUNCTION_DIMENSION]: from,
      ...(options.code === undefined ? {} : { [CODE_DIMENSION]: options.code }),
    },
    statistic: options.statistic ?? cloudwatch.Stats.SUM,
    period: Duration.minutes(5),
    ...(options.label === undefined ? {} : { label: options.label }),
  })
}

/** Sum of metrics of which any may have no data, which counts as nothing. */
export function total(
  metrics: Readonly<Record<string, cloudwatch.IMetric>>,
  label: string,
): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: Object.keys(metrics)
      .map((id) => `FILL(${id}, 0)`)
      .join(' + '),
    usingMetrics: { ...metrics },
    period: Duration.minutes(5),
    label,
  })
}

/** A query, because only mailboxes in trouble have metrics, one for each function and dimension more. The mailbox contributes to the alarm by name. */
export function byMailbox(
  name: 'mailboxFailures' | 'mailboxSuspensions' | 'credentialDaysLeft',
  {
    deployment,
    further,
    mailbox,
    period,
  }: {
    readonly deployment: string
    /** Dimensions of the metric besides deployment, function and mailbox. */
    readonly further: readonly string[]
    /** @default each */
    readonly mailbox?: string | undefined
    readonly period: Duration
  },
): cloudwatch.MathExpression {
  const schema = [DEPLOYMENT_DIMENSION, FUNCTION_DIMENSION, ...further, MAILBOX_DIMENSION]
  const only = mailbox === undefined ? '' : ` AND ${MAILBOX_DIMENSION} = '${mailbox}'`
  const [value, order] = name === 'credentialDaysLeft' ? ['MIN', 'ASC'] : ['SUM', 'DESC']
  return new cloudwatch.MathExpression({
    expression: [
      `SELECT ${value}(${METRICS[name]})`,
      `FROM SCHEMA("${METRIC_NAMESPACE}", ${schema.map((each) => `"${each}"`).join(', ')})`,
      `WHERE "${DEPLOYMENT_DIMENSION}" = '${deployment}'${only}`,
      `GROUP BY ${MAILBOX_DIMENSION} ORDER BY ${value}() ${order}`,
    ].join(' '),
    usingMetrics: {},
    period,
    label: METRICS[name],
  })
}

/** An interval as CloudWatch counts: whole minutes, a day at most. */
export function alarmPeriod(every: string): Duration {
  const minutes = Math.ceil(durationMs(every) / 60_000)
  return Duration.minutes(Math.min(Math.max(minutes, 1), 1440))
}
