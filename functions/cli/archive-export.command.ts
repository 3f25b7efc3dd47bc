import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleFormat } from '../../shared/export/bundle.ts'
import { emlFormat } from '../../shared/export/eml-folder.ts'
import { SUMS_FILE } from '../../shared/export/folder.ts'
import { mboxFormat } from '../../shared/export/mbox.ts'
import type { ExportFormat } from '../../shared/export/part.ts'
import { bundleReadme } from '../../shared/export/readme.ts'
import { signature } from '../../shared/export/signed-sums.ts'
import { type ExportReport, exportMessages } from '../../shared/operations/export.ts'
import { openProver } from '../../shared/operations/prove.ts'
import { readPublicKey } from '../../shared/seal/seal.ts'
import type { Signer } from '../../shared/seal/signer.ts'
import { type ChoiceOptions, readChoice } from './choice.ts'
import { countOf, octetsText } from './output.ts'
import { withCatalogue } from './query-ports.ts'
import type { Run } from './run.ts'
import { signerOf } from './seal.command.ts'

export const EXPORT_FORMATS = ['bundle', 'eml', 'mbox'] as const

export interface ExportCommandOptions extends ChoiceOptions {
  readonly output: string
  readonly format: (typeof EXPORT_FORMATS)[number]
}

/** Writes what the query means to files; the same command goes on with an export that was interrupted. */
export async function exportCommand(run: Run, options: ExportCommandOptions): Promise<void> {
  const { output, signal, stores } = run
  const query = await readChoice(options, run)
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
      if (signer && report.complete) await sign(options.output, signer)
      tell(run, options.output, report)
    })
  } finally {
    signer?.close()
  }
}

function plainFormat(format: ExportCommandOptions['format']): ExportFormat {
  return format === 'mbox' ? mboxFormat() : emlFormat()
}

async function readme(signer: Signer): Promise<string> {
  return bundleReadme(readPublicKey(await signer.publicKey())?.asymmetricKeyType)
}

/** Beside the parts, over all of them. */
async function sign(folder: string, signer: Signer): Promise<void> {
  const sums = await readFile(join(folder, SUMS_FILE))
  await writeFile(join(folder, `${SUMS_FILE}.sig`), await signature(sums, signer))
  await writeFile(join(folder, 'public-key.pem'), await signer.publicKey())
  await writeFile(join(folder, 'README.txt'), await readme(signer))
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
