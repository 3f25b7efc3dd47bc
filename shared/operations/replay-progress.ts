import * as z from 'zod'
import { MAILBOX_ID_PATTERN, type MailboxId } from '../contract/ids.ts'
import { REPLAY } from '../limits.ts'
import { type ArchivedMessage, type Place, placeOf, placeSchema } from '../query/archived-messages.ts'

/** What has become of a replay, up to and with the message `last`. */
export interface ReplayTally {
  readonly messages: number
  /** By queue: events that it took. One message may go to several. */
  readonly sent: Readonly<Record<string, number>>
  readonly failed: number
  /** Messages that some queue refused, or that could not be read; the first REPLAY.failuresTold of them. */
  readonly failures: readonly {
    readonly mailbox: MailboxId
    readonly sha256: string
    readonly reason: string
  }[]
  /** Undefined before the first. */
  readonly last?: Place | undefined
}

const count = z.int().nonnegative()
const mailbox = z
  .string()
  .regex(MAILBOX_ID_PATTERN)
  .transform((id) => id as MailboxId)

export const tallySchema: z.ZodType<ReplayTally> = z.object({
  messages: count,
  sent: z.record(z.string(), count),
  failed: count,
  failures: z.array(z.object({ mailbox, sha256: z.string(), reason: z.string() })),
  last: placeSchema.optional(),
})

/** What is told of one message. It is done after a failure, or when each of its events was taken or refused. */
export interface MessageStep {
  failed(reason: string): void
  sent(queue: string): void
  refused(reason: string): void
}

export interface ReplayProgress {
  readonly tally: ReplayTally
  /** `events`: to how many queues it goes. */
  begin(message: ArchivedMessage, events: number): MessageStep
}

interface Pending {
  readonly message: ArchivedMessage
  left: number
  readonly sent: string[]
  readonly reasons: string[]
}

/**
 * Messages count in their order, each when it and all before it are done, whichever queue answers first: the place that is reached is one to go on
 * from. `reached` is told of each.
 */
export function openReplayProgress(
  from: ReplayTally | undefined,
  reached: (tally: ReplayTally) => void = () => {},
): ReplayProgress {
  const sent: Record<string, number> = { ...from?.sent }
  const failures = [...(from?.failures ?? [])]
  let { messages = 0, failed = 0, last } = from ?? {}
  const pending: Pending[] = []
  const tally = (): ReplayTally => ({ sent, messages, failures, failed, ...(last ? { last } : {}) })

  function settle(): void {
    while (pending[0]?.left === 0) {
      const { message, sent: queues, reasons } = pending.shift() as Pending
      const { mailbox, entry } = message
      for (const queue of queues) sent[queue] = (sent[queue] ?? 0) + 1
      for (const reason of reasons) {
        failed++
        if (failures.length < REPLAY.failuresTold) failures.push({ mailbox, sha256: entry.sha256, reason })
      }
      messages++
      last = placeOf(message)
      reached(tally())
    }
  }

  return {
    get tally() {
      return tally()
    },
    begin(message, events) {
      const step: Pending = { message, left: events, sent: [], reasons: [] }
      pending.push(step)
      const answered = (to: string[], word: string): void => {
        to.push(word)
        step.left--
        settle()
      }
      return {
        failed(reason) {
          step.reasons.push(reason)
          settle()
        },
        sent: (queue) => answered(step.sent, queue),
        refused: (reason) => answered(step.reasons, reason),
      }
    },
  }
}
