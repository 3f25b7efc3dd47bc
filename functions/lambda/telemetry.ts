import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { FunctionName } from '../../shared/contract/functions.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { MAILBOX_DIMENSION, METRICS } from '../../shared/contract/metrics.ts'
import type { IngestError } from '../../shared/errors.ts'
import { type ExpiryNotice, expiryText, onlyNews } from '../../shared/operations/expiry.ts'
import { countFailure, type Fields, openTelemetry } from '../telemetry.ts'
import type { LambdaContext } from './events.ts'

type MetricName = Exclude<keyof typeof METRICS, 'mailboxFailures' | 'credentialDaysLeft'>

/** The log (one JSON object a line) and the metrics (embedded in it) of one function. */
export class Telemetry {
  readonly #log: Logger
  readonly #metrics: Metrics
  readonly #onlyNews = onlyNews()

  constructor(name: FunctionName, deployment: string) {
    const { log, metrics } = openTelemetry(name, deployment)
    this.#log = log
    this.#metrics = metrics
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

  /** Counted each time, for the alarm; logged when it is news. */
  expiring(mailbox: MailboxId, notices: readonly ExpiryNotice[]): void {
    const [first] = notices
    if (!first) return
    for (const notice of this.#onlyNews(mailbox, notices))
      this.warn(expiryText(notice), { mailbox, ...notice })
    this.#metrics
      .singleMetric()
      .addDimension(MAILBOX_DIMENSION, mailbox)
      .addMetric(METRICS.credentialDaysLeft, MetricUnit.Count, first.days)
  }

  mailboxFailed(mailbox: MailboxId, { code }: IngestError): void {
    countFailure(this.#metrics, mailbox, code)
  }
}

/** The level of a line about a mailbox that failed: what passes by itself is a warning. */
export function levelOf(error: IngestError): 'warn' | 'error' {
  return error.scope === 'mailbox' ? 'error' : 'warn'
}
