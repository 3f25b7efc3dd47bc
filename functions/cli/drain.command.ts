import { durationMs, type MailboxConfig, portOf } from '../../shared/contract/config.ts'
import { deadlineIn, never } from '../../shared/deadline.ts'
import type { DrainCounts, DrainReport } from '../../shared/drain/report.ts'
import { drain } from '../../shared/drain.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { openSpool } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { drainProgress } from './drain-progress.ts'
import { countText, durationText, octetsText } from './output.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

/** Mailboxes drained at the same time: each waits for its server most of the time, and memory is bounded for each. */
const AT_ONCE = 4

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
  const { output, settings } = run
  const mailboxes = chosenMailboxes(settings.config, ids)
  const deadline = options.for === undefined ? never : deadlineIn(duration(options.for))
  const { stores, signal } = await run.open()
  const progress = drainProgress(output)
  const parser = openWorkerParser()
  const next = mailboxes.values()
  const lane = async (): Promise<void> => {
    for (const mailbox of next) {
      if (signal.aborted) return
      const spool = openSpool()
      try {
        const ports = { ...stores, parser, spool, openMailbox: run.opener(mailbox) }
        const { routes } = settings.config
        const dryRun = options.dryRun ?? false
        const report = await drain({ mailbox, routes }, ports, { deadline, signal, progress, dryRun })
        tell(run, mailbox, report, dryRun)
      } finally {
        await spool.close()
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, mailboxes.length) }, lane))
  } finally {
    output.clearProgress()
    await parser.close()
  }
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
  if (error) output.problem(`${mailbox.id} (${mailbox.host}:${portOf(mailbox)})`, error)
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
  const nothing = report.error ? 'stopped' : dryRun ? 'fetched, and nothing stored' : 'nothing new'
  const stop = stopped ? `; ${STOPS[stopped]}` : ''
  const left = remaining > 0 ? `; ${countText(remaining)} remain for the next drain` : ''
  return `${id}: ${parts.join(', ') || nothing} (${countText(listed)} on the server${fetched})${stop}${left}`
}

function duration(text: string): number {
  if (!/^\d{1,6}[smhd]$/.test(text))
    throw new ConfigurationError('--for', [
      `${text} is not a duration; expected a number and a unit: 90s, 5m, 1h or 1d`,
    ])
  return durationMs(text)
}
