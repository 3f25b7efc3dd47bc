import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { FunctionName } from '../../shared/contract/functions.ts'
import {
  CODE_DIMENSION,
  DEPLOYMENT_DIMENSION,
  FUNCTION_DIMENSION,
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
