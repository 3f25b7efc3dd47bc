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
  /** probe-mailboxes, drain-mailbox and idle-relay: drains asked for, continuations included. */
  drainsRequested: 'DrainsRequested',
  /** drain-mailbox: drains that ended, also those that failed. */
  drains: 'Drains',
  messagesAnnounced: 'MessagesAnnounced',
  /** Archived, and SQS refused the event for now. */
  messagesPending: 'MessagesPending',
  /** seal-ledgers: lines of ledgers under the seals of a day. */
  linesSealed: 'LinesSealed',
  /** hold-new-mail: messages held for open cases as they came. */
  newMailHeld: 'NewMailHeld',
  /** verify-authentication: messages whose DKIM, SPF and DMARC were verified. */
  messagesVerified: 'MessagesVerified',
  messagesFailed: 'MessagesFailed',
  messagesQuarantined: 'MessagesQuarantined',
  octetsFetched: 'OctetsFetched',
  /** idle-relay, once a minute for each shard: its mailboxes; those with a connection to every folder; those without one to some folder. */
  relayMailboxes: 'RelayMailboxes',
  relayWatched: 'RelayWatched',
  relayUnwatched: 'RelayUnwatched',
  /** Milliseconds since the server of the mailbox that was silent longest, of those that are connected, has shown that it is there. */
  relayOldestProof: 'RelayOldestProof',
  /**
   * Milliseconds since the server of a mailbox has shown that it is there, by `mailbox`: of those for which it is longer than a dead connection can
   * go unnoticed, and as long as it is.
   */
  relaySilence: 'RelaySilence',
  /** Canaries: milliseconds from their folder to the queue; those that did not come through. */
  canaryLatency: 'CanaryLatency',
  canariesLost: 'CanariesLost',
  /**
   * probe-mailboxes, by `mailbox`: whole days until the first of what it signs in with runs out (client secret, refresh token, certificate, private CA),
   * of those for which it is known and 30 at most; below 0 when it has.
   */
  credentialDaysLeft: 'CredentialDaysLeft',
  /**
   * probe-mailboxes, drain-mailbox and idle-relay: a mailbox could not be probed, drained or entered. By function and `code`, and once more by `mailbox`
   * too, so that an alarm can say which.
   */
  mailboxFailures: 'MailboxFailures',
  /** The same functions, by function and `mailbox`: it is not signed in to until somebody looks; at each visit for as long as that is so. */
  mailboxSuspensions: 'MailboxSuspensions',
} as const

/** Days ahead at which it is said that something runs out; a smaller number is more urgent. */
export const NOTICE_DAYS = [1, 7, 30] as const

/** Further dimensions of `mailboxFailures`. */
export const MAILBOX_DIMENSION = 'mailbox'
export const CODE_DIMENSION = 'code'

/** Field of the line `probed` of probe-mailboxes: ids of the mailboxes that were looked at with success. Costs less than a metric for each. */
export const LOOKED_AT = 'lookedAt'
