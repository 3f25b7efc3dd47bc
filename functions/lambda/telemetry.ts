import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { FunctionName } from '../../shared/contract/functions.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import {
  CODE_DIMENSION,
  FUNCTION_DIMENSION,
  MAILBOX_DIMENSION,
  METRIC_NAMESPACE,
  METRICS,
} from '../../shared/contract/metrics.ts'
import type { IngestError } from '../../shared/errors.ts'
import type { LambdaContext } from './events.ts'

type MetricName = Exclude<keyof typeof METRICS, 'mailboxFailures'>

/** Fields of a log line. Whatever is said here is read by operators: no secret, and nothing of a message. */
export type Fields = Readonly<Record<string, unknown>>

/** The log (one JSON object a line) and the metrics (embedded in it) of one function. */
export class Telemetry {
  readonly #log: Logger
  readonly #metrics: Metrics

  constructor(name: FunctionName, deployment: string) {
    const dimensions = { [FUNCTION_DIMENSION]: name }
    this.#log = new Logger({ serviceName: deployment, persistentKeys: dimensions })
    this.#metrics = new Metrics({
      namespace: METRIC_NAMESPACE,
      serviceName: deployment,
      defaultDimensions: dimensions,
    })
  }

  /** Every line of `work` names the invocation, and its metrics are written when it ends, however it does. */
  async during<T>(context: LambdaContext, work: () => Promise<T>): Promise<T> {
    this.#log.addContext(context)
    try {
      return await work()
    } finally {
      if (this.#metrics.hasStoredMetrics()) this.#metrics.publishStoredMetrics()
    }
  }

  info(message: string, fields: Fields = {}): void {
    this.#log.info({ message, ...fields })
  }

  warn(message: string, fields: Fields = {}): void {
    this.#log.warn({ message, ...fields })
  }

  error(message: string, fields: Fields = {}): void {
    this.#log.error({ message, ...fields })
  }

  count(name: MetricName, value: number): void {
    const unit = name === 'octetsFetched' ? MetricUnit.Bytes : MetricUnit.Count
    this.#metrics.addMetric(METRICS[name], unit, value)
  }

  /** Counts it under its code, and once more under the mailbox too, for the alarm that names it. */
  mailboxFailed(mailbox: MailboxId, { code }: IngestError): void {
    for (const dimensions of [{}, { [MAILBOX_DIMENSION]: mailbox }])
      this.#metrics
        .singleMetric()
        .addDimensions({ [CODE_DIMENSION]: code, ...dimensions })
        .addMetric(METRICS.mailboxFailures, MetricUnit.Count, 1)
  }
}

/** The level of a line about a mailbox that failed: what passes by itself is a warning. */
export function levelOf(error: IngestError): 'warn' | 'error' {
  return error.scope === 'mailbox' ? 'error' : 'warn'
}

export function errorFields({ code, scope, message, remedy }: IngestError): Fields {
  return { error: { code, scope, message, remedy } }
}
