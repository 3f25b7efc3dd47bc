// Alarms and their runbook. The name of an alarm is `<deployment>-<kind>`, or `<deployment>-<kind>-<subject>` where there is one for each
// mailbox, queue or function; docs/runbook.md has an article for each kind, with the kind as its heading.

export const ALARM_KINDS = [
  'schedule-silent',
  'schedule-failing',
  'mailbox-failing',
  'mailbox-suspended',
  'mailboxes-unvisited',
  'credential-expiring',
  'function-failing',
  'requests-old',
  'requests-dead',
  'events-dead',
  'events-pending',
  'archive-write-denied',
  'new-mail-unheld',
  'new-mail-unverified',
  'quarantine-grew',
  'relay-down',
  'relay-unwatched',
  'canary-lost',
] as const

export type AlarmKind = (typeof ALARM_KINDS)[number]

export function alarmName(deployment: string, kind: AlarmKind, subject?: string): string {
  return [deployment, kind, ...(subject === undefined ? [] : [subject])].join('-')
}

/**
 * Mailboxes with an alarm of their own, at 0.10 USD a month each and within the 500 resources of a stack; with more of them, one alarm watches
 * all, and its notification names the mailbox.
 */
export const MAILBOX_ALARMS_MOST = 50
