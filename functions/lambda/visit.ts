import type { MailboxConfig } from '../../shared/contract/config.ts'
import { IngestError } from '../../shared/errors.ts'
import { failedLogIn, suspends } from '../../shared/failed-log-ins.ts'
import type { MailboxSession } from '../../shared/mailbox/mailbox.ts'
import type { Admission, Suspensions } from '../../shared/suspension.ts'

/**
 * One visit to a mailbox, by a probe or a drain. Whether a log-in may be tried is asked at the door and not before, for a visitor who turns
 * back earlier must not use up the one try that a suspended mailbox has.
 */
export interface Visit {
  /** Opens the mailbox. While it is suspended: rejects with the error that it is suspended for, without a word to the server. */
  readonly openMailbox: () => Promise<MailboxSession>
  /**
   * Tells how it ended; does nothing when the server was not asked. What cannot be kept of it for the moment is handed to `unkept`, for it takes
   * nothing back: the next visit finds out again.
   */
  ended(error: IngestError | undefined): Promise<void>
}

export function beginVisit(
  mailbox: MailboxConfig,
  open: () => Promise<MailboxSession>,
  suspensions: Suspensions,
  unkept: (error: IngestError) => void,
): Visit {
  let admission: Admission | undefined
  let entered = false
  return {
    async openMailbox() {
      admission = await suspensions.admit(mailbox)
      if (!admission.admitted) {
        const { code, reason, since, attempts, nextTryAt } = admission.suspension
        throw new IngestError(
          code,
          `suspended since ${since} after ${attempts} failed log-ins, the next one at ${nextTryAt}: ${failedLogIn(code).words}: ${reason}`,
        )
      }
      const session = await open()
      entered = true
      return session
    },
    async ended(error) {
      if (!admission?.admitted) return
      try {
        if (error && suspends(error)) await suspensions.failed(mailbox, error)
        else if (entered && admission.suspension) await suspensions.succeeded(mailbox)
      } catch (trouble) {
        if (!(trouble instanceof IngestError)) throw trouble
        unkept(trouble)
      }
    },
  }
}
