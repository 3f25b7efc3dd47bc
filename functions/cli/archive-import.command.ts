import { resolve } from 'node:path'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import { never } from '../../shared/deadline.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { drain } from '../../shared/drain.ts'
import { openImport } from '../../shared/mailbox/import.ts'
import { type ImportFormat, readSource, type Source } from '../../shared/mailbox/import-files.ts'
import { openSpool, type Spool } from '../../shared/octets.ts'
import type { Parser } from '../../shared/parser/parser.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { countOf, countText, octetsText } from './output.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

export interface ImportOptions {
  readonly format?: ImportFormat
  readonly asIs?: boolean
  readonly announce?: boolean
  readonly dryRun?: boolean
}

/** Far above any message: what is in a file has been accepted by somebody before. */
const LARGEST_OCTETS = 5_000_000_000

/** Mail in files to the archive and ledger of a mailbox. What is there already is known by its octets, so that the same command goes on after an interruption. */
export async function importCommand(
  run: Run,
  [id, ...sources]: readonly [string, ...string[]],
  options: ImportOptions,
): Promise<void> {
  const [configured] = chosenMailboxes(run.settings.config, [id]) as [MailboxConfig]
  const mailbox: MailboxConfig = {
    ...configured,
    afterArchive: 'keep',
    search: undefined,
    limits: { messageOctets: LARGEST_OCTETS },
  }
  const parser = openWorkerParser()
  const spool = openSpool()
  try {
    for (const path of sources) {
      if (run.signal.aborted) break
      const source = await readSource(path, options.format)
      tell(
        run,
        path,
        source,
        await importSource(run, mailbox, path, source, { ...options, parser, spool }),
        options,
      )
    }
  } finally {
    await parser.close()
    await spool.close()
  }
}

function importSource(
  { output, settings, stores, signal }: Run,
  mailbox: MailboxConfig,
  path: string,
  { format, messages }: Source,
  { parser, spool, ...options }: ImportOptions & { readonly parser: Parser; readonly spool: Spool },
): Promise<DrainReport> {
  const asIs = options.asIs ?? format === 'eml'
  const session = openImport(resolve(path), messages, asIs, (file, error) => output.problem(file, error))
  return drain(
    { mailbox, routes: settings.config.routes },
    { ...stores, parser, spool, openMailbox: async () => session },
    {
      deadline: never,
      signal,
      dryRun: options.dryRun ?? false,
      silent: !options.announce,
      progress: ({ done, total }) =>
        output.progress([`${path}: ${countText(done)} of ${countOf(total, 'message')}`]),
    },
  )
}

function tell(
  { output }: Run,
  path: string,
  { messages }: Source,
  { mailbox, counts, octets, error, stopped }: DrainReport,
  { dryRun = false, announce = false }: ImportOptions,
): void {
  output.result({ source: path, mailbox, files: messages.length, ...counts, octets, dryRun }, () => {
    const { imported, announced, pending, duplicates } = counts
    const archived = announce
      ? `${countText(announced + pending)} archived and announced`
      : `${countText(imported)} archived`
    const what = dryRun
      ? 'nothing is archived in a dry run'
      : `${archived}, ${countText(duplicates)} there already`
    return `${path}: ${countOf(messages.length, 'message')}, ${octetsText(octets)}: ${what}`
  })
  if (error) output.problem(path, error)
  else if (stopped) output.problem(path, new Error('not finished: the same command goes on'))
}
