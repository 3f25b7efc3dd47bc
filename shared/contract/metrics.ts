// Metrics in CloudWatch (embedded metric format): what the functions write and the alarms of infra/ read.

export const METRIC_NAMESPACE = 'Mailsluice'

/** The dimensions of every metric: the name of the stack (DEPLOYMENT), and a FunctionName. */
export const DEPLOYMENT_DIMENSION = 'service'
export const FUNCTION_DIMENSION = 'function'

/**
 * Counts, by those two, unless said otherwise. A metric for each mailbox would cost more than draining it; only a mailbox that fails has
 * one, for as long as it fails.
 */
export const METRICS = {
  /** schedule-drains: mailboxes in the applied configuration, at each tick. No data: the schedule stands still. */
  mailboxesConfigured: 'MailboxesConfigured',
  /** schedule-drains: mailboxes handed to the probe. */
  mailboxesDue: 'MailboxesDue',
  /** probe-mailboxes: mailboxes looked at, also those that failed. */
  mailboxesProbed: 'MailboxesProbed',
  /** probe-mailboxes and drain-mailbox: drains asked for, continuations included. */
  drainsRequested: 'DrainsRequested',
  /** drain-mailbox: drains that ended, also those that failed. */
  drains: 'Drains',
  messagesAnnounced: 'MessagesAnnounced',
  /** Archived, and SQS refused the event for now. */
  messagesPending: 'MessagesPending',
  messagesFailed: 'MessagesFailed',
  messagesQuarantined: 'MessagesQuarantined',
  octetsFetched: 'OctetsFetched',
  /**
   * probe-mailboxes and drain-mailbox: a mailbox could not be probed or drained. By function and `code`, and once more by `mailbox`
   * too, so that an alarm can say which.
   */
  mailboxFailures: 'MailboxFailures',
} as const

/** Further dimensions of `mailboxFailures`. */
export const MAILBOX_DIMENSION = 'mailbox'
export const CODE_DIMENSION = 'code'
