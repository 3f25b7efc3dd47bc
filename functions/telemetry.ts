import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { FunctionName } from '../shared/contract/functions.ts'
import type { MailboxId } from '../shared/contract/ids.ts'
import {
  CODE_DIMENSION,
  FUNCTION_DIMENSION,
  MAILBOX_DIMENSION,
  METRIC_NAMESPACE,
  METRICS,
} from '../shared/contract/metrics.ts'
import { ERROR_CODES, type ErrorCode, type IngestError } from '../shared/errors.ts'
import { suspends } from '../shared/failed-log-ins.ts'

// What functions and relay have in common when they log and count: names and dimensions, by which alarms and dashboard find them.

/** Fields of a log line. Whatever is said here is read by operators: no secret, and nothing of a message. */
export type Fields = Readonly<Record<string, unknown>>

/** The log (one JSON object a line) and the metrics (embedded in it) of one function or task; `fields` are in every line. */
export function openTelemetry(
  name: FunctionName | 'idle-relay',
  deployment: string,
  fields: Fields = {},
): { readonly log: Logger; readonly metrics: Metrics } {
  const dimensions = { [FUNCTION_DIMENSION]: name }
  return {
    log: new Logger({ serviceName: deployment, persistentKeys: { ...dimensions, ...fields } }),
    metrics: new Metrics({
      namespace: METRIC_NAMESPACE,
      serviceName: deployment,
      defaultDimensions: dimensions,
    }),
  }
}

/**
 * Counts a failure under its code, and once more under the mailbox too, for the alarm that names it; and as a suspension when the mailbox rests for
 * it.
 */
export function countFailure(metrics: Metrics, mailbox: MailboxId, code: ErrorCode): void {
  if (suspends({ code, scope: ERROR_CODES[code].scope }))
    metrics
      .singleMetric()
      .addDimension(MAILBOX_DIMENSION, mailbox)
      .addMetric(METRICS.mailboxSuspensions, MetricUnit.Count, 1)
  for (const dimensions of [{}, { [MAILBOX_DIMENSION]: mailbox }])
    metrics
      .singleMetric()
      .addDimensions({ [CODE_DIMENSION]: code, ...dimensions })
      .addMetric(METRICS.mailboxFailures, MetricUnit.Count, 1)
}

export function errorFields({ code, scope, message, remedy }: IngestError): Fields {
  return { error: { code, scope, message, remedy } }
}
