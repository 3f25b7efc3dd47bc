import {
  durationMs,
  type MailboxConfig,
  portOf,
  settingsWithoutEffect,
} from '../../shared/contract/config.ts'
import { deadlineIn, never } from '../../shared/deadline.ts'
import type { DrainCounts, DrainReport, MessageFailure } from '../../shared/drain/report.ts'
import { openRoom } from '../../shared/drain/room.ts'
import { ConfigurationError, IngestError } from '../../shared/errors.ts'
import { DRAIN } from '../../shared/limits.ts'
import { OctetArena } from '../../shared/octet-arena.ts'
import { expiringOf, expiryText } from '../../shared/operations/expiry.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { drainOnce } from './drain-once.ts'
import { drainProgress } from './drain-progress.ts'
import { countText, durationText, octetsText } from './output.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

/** Messages that failed and are named one by one. */
const FAILURES_TOLD = 10

export interface DrainCommandOptions {
  readonly dryRun?: boolean
  readonly for?: string
}

/** Drains each mailbox once. What goes wrong with one does not stop the others. */
export async function drainCommand(
  run: Run,
  ids: readonly string[],
  options: DrainCommandOptions,
): Promise<void> {
  const { output, settings, signal, stores } = run
  const mailboxes = chosenMailboxes(settings.config, ids)
  const deadline = options.for === undefined ? never : deadlineIn(duration(options.for) + DRAIN.closingMs)
  for (const line of settingsWithoutEffect(settings.config, { available: stores.derived !== undefined }))
    output.note(`mailsluice: ${line}`)
  const progress = drainProgress(output, mailboxes.length)
  const shared = { parser: openWorkerParser(), room: openRoom(), arena: new OctetArena(DRAIN.arenaOctets) }
  const next = mailboxes.values()
  const lane = async (): Promise<void> => {
    for (const mailbox of next) {
      if (signal.aborted) return
      const dryRun = options.dryRun ?? false
      const report = await drainOnce(run, mailbox, shared, {
        deadline,
        signal,
        progress: progress.update,
        dryRun,
      })
      progress.finished(mailbox.id)
      tell(run, mailbox, report, dryRun)
      if (report.server) {
        await resume(run, mailbox)
        for (const notice of await expiringOf(run.perishable(mailbox), new Date()))
          output.note(`mailsluice: ${mailbox.id}: ${expiryText(notice)}`)
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(DRAIN.atOnce, mailboxes.length) }, lane))
    for (const { id } of next) output.note(`mailsluice: ${id}: not begun`)
  } finally {
    progress.end()
    await shared.parser.close()
  }
}

/** The server has let us in: whoever waits for a suspended mailbox need not wait any more. */
async function resume({ stores, credentials, output }: Run, mailbox: MailboxConfig): Promise<void> {
  const { state, queues } = stores
  if (!state) return
  await openSuspensions({ state, queues, credentials })
    .succeeded(mailbox)
    .catch((error: unknown) => {
      if (!(error instanceof IngestError)) throw error
      output.note(
        `mailsluice: ${mailbox.id}: whether it was suspended could not be looked up: ${error.message}`,
      )
    })
}

function tell({ output }: Run, mailbox: MailboxConfig, report: DrainReport, dryRun: boolean): void {
  const { error, server, counts, ...rest } = report
  output.result(
    {
      ...rest,
      ...counts,
      server: server && { host: server.host, port: server.port, tls: server.tls },
      ...(dryRun ? { dryRun } : {}),
      ...(error
        ? { error: { code: error.code, scope: error.scope, message: error.message, remedy: error.remedy } }
        : {}),
    },
    () => reportText(mailbox, report, dryRun),
  )
  for (const warning of report.warnings) output.note(`mailsluice: ${mailbox.id}: ${warning}`)
  for (const failure of report.failures.slice(0, FAILURES_TOLD)) {
    // What ended the session is said below.
    if (failure.reason !== error?.message) output.problem(...failureText(mailbox.id, failure))
  }
  const more = counts.failed + counts.quarantined - FAILURES_TOLD
  if (more > 0)
    output.problem(mailbox.id, new Error(`${countText(more)} more messages failed: mailsluice ledger show`))
  if (counts.pending > 0 && !error)
    output.problem(
      mailbox.id,
      new IngestError(
        'QUEUE_UNAVAILABLE',
        `the queue did not take ${countText(counts.pending)} announcements`,
      ),
    )
  if (error) output.problem(`${mailbox.id} (${mailbox.host}:${portOf(mailbox)})`, error)
}

function failureText(mailbox: string, failure: MessageFailure): [where: string, IngestError] {
  const { folder, id, code, reason, attempts, quarantined } = failure
  const fate = quarantined ? 'quarantined' : `attempt ${attempts}`
  return [`${mailbox}: ${folder} ${id} (${fate})`, new IngestError(code, reason)]
}

const WORDS: readonly (readonly [keyof DrainCounts, string])[] = [
  ['announced', 'archived and announced'],
  ['pending', 'archived, announcement pending'],
  ['announcedLate', 'announced that were pending'],
  ['duplicates', 'known already'],
  ['failed', 'failed, to be tried again'],
  ['quarantined', 'quarantined'],
  ['filtered', 'left out by the search'],
  ['gone', 'gone before they were fetched'],
  ['acknowledged', 'acknowledged on the server'],
]

const STOPS = {
  deadline: 'the time was up',
  'daily-budget': 'the octets of the day are spent',
  asked: 'asked to stop',
} as const

export function reportText({ id }: MailboxConfig, report: DrainReport, dryRun: boolean): string {
  const { counts, octets, elapsedMs, remaining, stopped, listed } = report
  const parts = WORDS.filter(([name]) => counts[name] > 0).map(
    ([name, words]) => `${countText(counts[name])} ${words}`,
  )
  const fetched = octets > 0 ? `, ${octetsText(octets)} in ${durationText(elapsedMs)}` : ''
  const nothing = nothingText(report, dryRun)
  const stop = stopped ? `; ${STOPS[stopped]}` : ''
  const left = remaining > 0 ? `; ${countText(remaining)} remain for the next drain` : ''
  return `${id}: ${parts.join(', ') || nothing} (${countText(listed)} on the server${fetched})${stop}${left}`
}

function nothingText({ error, stopped }: DrainReport, dryRun: boolean): string {
  if (error) return 'stopped'
  if (dryRun) return 'fetched, and nothing stored'
  return stopped ? 'nothing fetched' : 'nothing new'
}

function duration(text: string): number {
  if (!/^\d{1,6}[smhd]$/.test(text))
    throw new ConfigurationError('--for', [
      `${text} is not a duration; expected a number and a unit: 90s, 5m, 1h or 1d`,
    ])
  return durationMs(text)
}
