import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { type DrainRequest, parseDrainRequest } from '../../shared/contract/messages.ts'
import { deadlineIn } from '../../shared/deadline.ts'
import { nextStep } from '../../shared/drain/next-step.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { drain } from '../../shared/drain.ts'
import { IngestError } from '../../shared/errors.ts'
import { DRAIN, LAMBDA } from '../../shared/limits.ts'
import { OctetArena } from '../../shared/octet-arena.ts'
import { openSpool } from '../../shared/octets.ts'
import type { Parser } from '../../shared/parser/parser.ts'
import { requestDrains } from '../../shared/queue/requests.ts'
import { openSqsQueues, type SqsQueues } from '../../shared/queue/sqs.ts'
import { errorFields } from '../telemetry.ts'
import type { LambdaContext, SqsRecord } from './events.ts'
import type { Mailboxes } from './mailboxes.ts'
import { levelOf, type Telemetry } from './telemetry.ts'

const QUEUE = 'drain-requests'

/** What becomes of a request: `done`, or it comes back. */
type Outcome = 'done' | 'again'

/** Answers requests for drains. */
export class DrainRequests {
  readonly #parser: Parser
  readonly #arena = new OctetArena(DRAIN.arenaOctets)
  readonly #telemetry: Telemetry
  readonly #queues: SqsQueues
  /** When the latest drain began that came to its end here. Every earlier request for the mailbox is answered by it. */
  readonly #caughtUpAtMs = new Map<MailboxId, number>()

  constructor({
    queueUrl,
    parser,
    telemetry,
  }: { readonly queueUrl: string; readonly parser: Parser; readonly telemetry: Telemetry }) {
    this.#parser = parser
    this.#telemetry = telemetry
    this.#queues = openSqsQueues({ queues: { [QUEUE]: queueUrl } })
  }

  /** Drains the mailbox that the request names. Rejects with defects alone. */
  async answer(record: SqsRecord, mailboxes: Mailboxes, context: LambdaContext): Promise<Outcome> {
    const request = parseDrainRequest(record.body)
    const mailbox = mailboxes.find(request.mailbox)
    if (!mailbox) {
      this.#telemetry.info('mailbox is not configured', { ...request })
      return 'done'
    }
    if (this.#isAnswered(record, mailbox)) {
      this.#telemetry.info('request came before the latest drain', { ...request })
      return 'done'
    }
    const leftMs = context.getRemainingTimeInMillis() - LAMBDA.reserveMs
    if (leftMs < LAMBDA.leastMs) {
      this.#telemetry.info('no time is left for a drain', { ...request })
      return 'again'
    }
    try {
      return await this.#drain(request, mailbox, mailboxes, record, Math.min(LAMBDA.sliceMs, leftMs))
    } catch (error) {
      // The drain tells its own in the report; this is of the continuation.
      if (!(error instanceof IngestError)) throw error
      this.#failed(mailbox, error, 'continuation could not be requested')
      return this.#comeBack(record)
    }
  }

  async #drain(
    request: DrainRequest,
    mailbox: MailboxConfig,
    mailboxes: Mailboxes,
    record: SqsRecord,
    forMs: number,
  ): Promise<Outcome> {
    const { archive, audit, state, derived, queues, routes } = mailboxes
    const visit = mailboxes.visit(mailbox)
    const startedMs = Date.now()
    const spool = openSpool(undefined, this.#arena)
    let report: DrainReport
    try {
      const ports = {
        archive,
        audit,
        state,
        derived,
        queues,
        parser: this.#parser,
        spool,
        openMailbox: visit.openMailbox,
      }
      report = await drain({ mailbox, routes }, ports, { deadline: deadlineIn(forMs) })
    } finally {
      await spool.close()
    }
    this.#tell(request, mailbox, report)
    await visit.ended(report.error)
    switch (nextStep(report)) {
      case 'continue':
        await requestDrains(this.#queues, QUEUE, [
          { id: `continuation-${report.drain}`, mailbox: mailbox.id, reason: 'continuation' },
        ])
        this.#telemetry.count('drainsRequested', 1)
        return 'done'
      case 'come-back':
        return this.#comeBack(record)
      case 'done':
        if (!report.error && !report.stopped) this.#caughtUpAtMs.set(mailbox.id, startedMs)
        return 'done'
    }
  }

  /** While a drain is at work, ticks and arrivals ask for further ones, which wait behind it: what they were about, it has seen. */
  #isAnswered({ attributes }: SqsRecord, { id }: MailboxConfig): boolean {
    const caughtUpAtMs = this.#caughtUpAtMs.get(id)
    return caughtUpAtMs !== undefined && Number(attributes.SentTimestamp) + LAMBDA.clockSkewMs < caughtUpAtMs
  }

  /** Sooner than the queue would have it, whose time is for functions that died; when that cannot be arranged, then. */
  async #comeBack({ receiptHandle, attributes }: SqsRecord): Promise<'again'> {
    const pauseMs = LAMBDA.comeBackMs * 4 ** (Number(attributes.ApproximateReceiveCount) - 1)
    const seconds = Math.min(pauseMs, LAMBDA.comeBackMostMs) / 1000
    await this.#queues.postpone(QUEUE, receiptHandle, seconds).catch((error: unknown) => {
      if (!(error instanceof IngestError)) throw error
      this.#telemetry.warn('request could not be postponed', errorFields(error))
    })
    return 'again'
  }

  /** One line for each drain, with everything. */
  #tell({ reason }: DrainRequest, mailbox: MailboxConfig, report: DrainReport): void {
    const { error, server, counts, ...rest } = report
    const { host, port, tls } = server ?? {}
    const fields = { reason, ...rest, ...counts, server: server && { host, port, tls } }
    const telemetry = this.#telemetry
    if (error) this.#failed(mailbox, error, 'drain', fields)
    else telemetry.info('drain', fields)
    telemetry.count('drains', 1)
    telemetry.count('messagesAnnounced', counts.announced + counts.announcedLate)
    telemetry.count('messagesPending', counts.pending)
    telemetry.count('messagesFailed', counts.failed)
    telemetry.count('messagesQuarantined', counts.quarantined)
    telemetry.count('octetsFetched', report.octets)
  }

  #failed({ id }: MailboxConfig, error: IngestError, message: string, fields: object = {}): void {
    this.#telemetry.mailboxFailed(id, error)
    this.#telemetry[levelOf(error)](message, { mailbox: id, ...fields, ...errorFields(error) })
  }
}
