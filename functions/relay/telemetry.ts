import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { MAILBOX_DIMENSION, METRICS } from '../../shared/contract/metrics.ts'
import { IngestError } from '../../shared/errors.ts'
import { RELAY } from '../../shared/limits.ts'
import { type MailboxHealth, summarize } from '../../shared/relay/health.ts'
import type { RelayEvent } from '../../shared/relay/ports.ts'
import { countFailure, errorFields, type Fields, openTelemetry } from '../telemetry.ts'

type Unit = (typeof MetricUnit)[keyof typeof MetricUnit]

/** Longer than a dead connection can go unnoticed, and than a server needs to start anew. */
const SILENCE_MS = 2 * (RELAY.renewMs + RELAY.replyMs)

/** The log (one JSON object a line) and the metrics (embedded in it) of one shard. */
export class RelayTelemetry {
  readonly #log: Logger
  readonly #metrics: Metrics
  readonly #startedMs = Date.now()
  #requested = 0

  constructor(deployment: string, shard: { readonly index: number; readonly count: number }) {
    const { log, metrics } = openTelemetry('idle-relay', deployment, { shard: shard.index })
    this.#log = log
    this.#metrics = metrics
  }

  info(message: string, fields: object = {}): void {
    this.#log.info({ message, ...fields })
  }

  error(message: string, error: unknown): void {
    this.#log.error({ message, ...failureFields(error) })
  }

  event(event: RelayEvent): void {
    const { kind, at, ...fields } = event
    const line = { message: kind, ...fields, ...('error' in event ? failureFields(event.error) : {}) }
    switch (event.kind) {
      case 'suspended':
        countFailure(this.#metrics, event.mailbox, event.suspension.code)
        this.#log.error(line)
        break
      case 'canary':
        this.#canary(event)
        break
      case 'request-failed':
        this.#log.error(line)
        break
      case 'disconnected':
        this.#log.warn(line)
        break
      default:
        if (event.kind === 'requested') this.#requested++
        this.#log.info(line)
    }
  }

  /** Once a minute. */
  publish(all: readonly MailboxHealth[]): void {
    const { mailboxes, watching, polling, reconnecting, suspended, provenAgoMs } = summarize(all)
    const count = (name: keyof typeof METRICS, value: number, unit: Unit = MetricUnit.Count): void => {
      this.#metrics.addMetric(METRICS[name], unit, value)
    }
    count('relayMailboxes', mailboxes)
    count('relayWatched', watching + polling)
    count('relayUnwatched', reconnecting + suspended)
    count('drainsRequested', this.#requested)
    if (provenAgoMs !== undefined) count('relayOldestProof', provenAgoMs, MetricUnit.Milliseconds)
    this.#requested = 0
    this.#metrics.publishStoredMetrics()
    for (const { mailbox, provenAt } of all) {
      const silentMs = Date.now() - (provenAt === undefined ? this.#startedMs : new Date(provenAt).getTime())
      if (silentMs <= SILENCE_MS) continue
      this.#metrics
        .singleMetric()
        .addDimension(MAILBOX_DIMENSION, mailbox)
        .addMetric(METRICS.relaySilence, MetricUnit.Milliseconds, silentMs)
    }
  }

  #canary({ mailbox, times, error }: Extract<RelayEvent, { kind: 'canary' }>): void {
    const { announcedMs } = times
    if (announcedMs === undefined) this.#metrics.addMetric(METRICS.canariesLost, MetricUnit.Count, 1)
    else this.#metrics.addMetric(METRICS.canaryLatency, MetricUnit.Milliseconds, announcedMs)
    const line = { message: 'canary', mailbox, times, ...failureFields(error) }
    if (announcedMs === undefined) this.#log.error(line)
    else this.#log.info(line)
  }
}

function failureFields(error: unknown): Fields {
  if (error === undefined) return {}
  if (error instanceof IngestError) return errorFields(error)
  return { error: { message: error instanceof Error ? error.message : String(error) } }
}
