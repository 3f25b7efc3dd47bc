import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { failedLogIn } from '../../shared/failed-log-ins.ts'
import type { HealthSummary, MailboxHealth } from '../../shared/relay/health.ts'
import type { CanaryTimes, RelayEvent } from '../../shared/relay/ports.ts'
import { reportText } from './drain.command.ts'
import { countOf, countText, durationText } from './output.ts'

// What `mailsluice relay` says in words.

/** Whether it is worth a line of its own beside the table. */
export function isTrouble(event: RelayEvent): boolean {
  if (event.kind === 'canary') return event.times.announcedMs === undefined
  return event.kind === 'suspended' || event.kind === 'resumed' || event.kind === 'request-failed'
}

export function eventText(event: RelayEvent): string {
  switch (event.kind) {
    case 'connected':
      if (event.folder === undefined) return 'connected; no folder is there yet'
      return event.idle ? `watching ${event.folder}` : `asking after ${event.folder}: the server has no IDLE`
    case 'disconnected':
      return `${placeOf(event.folder)}${event.error.code}: ${event.error.message}; again in ${durationText(event.againMs)}`
    case 'news':
      return `${placeOf(event.folder)}${NEWS[event.reason]}`
    case 'requested':
      return `drain asked for, ${durationText(event.waitedMs)} after the news`
    case 'request-failed':
      return `drain could not be asked for: ${event.error.message}; again in ${durationText(event.againMs)}`
    case 'suspended': {
      const { code, reason, nextTryAt } = event.suspension
      return `suspended: ${failedLogIn(code).words}: ${code}: ${reason}; next try ${clockText(nextTryAt)}, or when the secret changes`
    }
    case 'resumed':
      return 'resumed: the server let us in again'
    case 'canary':
      return canaryText(event.times, event.error?.message)
  }
}

const NEWS = {
  'first-look': 'looking what came before',
  arrival: 'mail has come',
  gap: 'mail has come while the connection was away',
  check: 'mail has come, and the server did not tell',
  poll: 'something is due',
} as const

export function drainedText(mailbox: MailboxConfig, report: DrainReport, waitedMs: number): string {
  const { id } = mailbox
  const text = reportText(mailbox, report, false).slice(id.length + 2)
  const failure = report.error ? `; ${report.error.code}: ${report.error.message}` : ''
  return `${text}, ${durationText(waitedMs)} after the news${failure}`
}

function canaryText(times: CanaryTimes, failure: string | undefined): string {
  const stages = [
    ['noticed', times.noticedMs],
    ['asked for', times.requestedMs],
    ['archived', times.archivedMs],
    ['announced', times.announcedMs],
  ] as const
  const come = stages.map(([stage, ms]) =>
    ms === undefined ? `not ${stage}` : `${stage} ${durationText(ms)}`,
  )
  const outcome = times.announcedMs === undefined ? 'canary lost' : 'canary'
  return `${outcome}: ${come.join(', ')}${failure === undefined ? '' : `; ${failure}`}`
}

/** Above the table. */
export function summaryText(summary: HealthSummary): string {
  const parts = (['watching', 'polling', 'reconnecting', 'suspended', 'overdue'] as const).flatMap((state) =>
    summary[state] > 0 ? [`${countText(summary[state])} ${state}`] : [],
  )
  return `${countOf(summary.mailboxes, 'mailbox', 'mailboxes')}: ${parts.join(', ') || 'none'}`
}

export function stateText({ state, folders, overdue }: MailboxHealth): string {
  if (overdue) return 'OVERDUE'
  const watched = folders.filter((folder) => folder.state === 'watching').length
  return folders.length > 1 && state !== 'suspended' ? `${state} ${watched}/${folders.length}` : state
}

function placeOf(folder: string | undefined): string {
  return folder === undefined ? '' : `${folder}: `
}

/** Hours and minutes, in UTC as all times here. */
function clockText(iso: string): string {
  return `${iso.slice(11, 16)} UTC`
}
