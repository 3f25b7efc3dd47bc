import { bundleFormat } from '../../shared/export/bundle.ts'
import { emlFormat } from '../../shared/export/eml-folder.ts'
import { signFolder } from '../../shared/export/folder.ts'
import { mboxFormat } from '../../shared/export/mbox.ts'
import type { ExportFormat } from '../../shared/export/part.ts'
import { bundleReadme } from '../../shared/export/readme.ts'
import { countExport, type ExportReport, exportMessages } from '../../shared/operations/export.ts'
import { openProver } from '../../shared/operations/prove.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import { readPublicKey } from '../../shared/seal/seal.ts'
import type { Signer } from '../../shared/seal/signer.ts'
import { type ChoiceOptions, readChoice } from './choice.ts'
import { countOf, octetsText } from './output.ts'
import { withCatalogue } from './query-ports.ts'
import type { Run } from './run.ts'
import { signerOf } from './seal.command.ts'
import type { EXPORT_FORMATS } from './usage.ts'

export interface ExportCommandOptions extends ChoiceOptions {
  readonly output: string
  readonly format: (typeof EXPORT_FORMATS)[number]
  readonly dryRun?: boolean
}

/** Writes what the query means to files; the same command goes on with an export that was interrupted. */
export async function exportCommand(run: Run, options: ExportCommandOptions): Promise<void> {
  const { output, signal, stores } = run
  const query = await readChoice(options, run)
  if (options.dryRun) return count(run, query)
  const signer = options.format === 'bundle' ? signerOf(run) : undefined
  try {
    await withCatalogue(run, async ({ ports, mailboxes }) => {
      const format = signer
        ? bundleFormat({ prover: openProver(stores.archive), signer, readme: await readme(signer) })
        : plainFormat(options.format)
      const report = await exportMessages(query, { folder: options.output, format }, mailboxes, ports, {
        keepGoing: () => !signal.aborted,
        progress: (messages, octets) =>
          output.progress([`${countOf(messages, 'message')} of this part, ${octetsText(octets)}`]),
      })
      if (signer && report.complete) await signFolder(options.output, signer, await readme(signer))
      tell(run, options.output, report)
    })
  } finally {
    signer?.close()
  }
}

async function count(run: Run, query: MessageQuery): Promise<void> {
  await withCatalogue(run, async ({ ports, mailboxes }) => {
    const counted = await countExport(query, mailboxes, ports)
    run.output.result(
      { ...counted, dryRun: true },
      () => `${countOf(counted.messages, 'message')} would be written, ${octetsText(counted.octets)}`,
    )
  })
}

function plainFormat(format: ExportCommandOptions['format']): ExportFormat {
  return format === 'mbox' ? mboxFormat() : emlFormat()
}

async function readme(signer: Signer): Promise<string> {
  return bundleReadme(readPublicKey(await signer.publicKey())?.asymmetricKeyType)
}

function tell({ output }: Run, folder: string, report: ExportReport): void {
  const { messages, octets, errors, parts, resumed, complete } = report
  output.result({ folder, ...report }, () => {
    const before = resumed > 0 ? `, ${resumed} of them by an earlier run` : ''
    return `${folder}: ${countOf(messages, 'message')}, ${octetsText(octets)}, ${countOf(parts, 'part')}${before}`
  })
  if (errors > 0)
    output.problem(
      folder,
      new Error(
        `${countOf(errors, 'message')} could not be read; mailsluice archive verify says which and why`,
      ),
    )
  if (!complete) output.problem(folder, new Error('not finished: the same command goes on'))
}
