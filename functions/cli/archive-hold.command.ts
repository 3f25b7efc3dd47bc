import { CASE_NAME_PATTERN, type CaseName } from '../../shared/contract/ids.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { type HoldReport, holdByQuery } from '../../shared/operations/hold.ts'
import { releaseCase } from '../../shared/operations/release.ts'
import { withCustody } from './custody-ports.ts'
import { type OrderOptions, orderOf } from './order.ts'
import { countOf, countText } from './output.ts'
import { type QueryOptions, readQuery } from './query-options.ts'
import type { Run } from './run.ts'

export interface CaseOptions extends OrderOptions {
  readonly case: string
  readonly dryRun?: boolean
}

/** Holds what the query means for a case; without a query, goes on with what the case asks for. */
export async function holdCommand(run: Run, options: CaseOptions & QueryOptions): Promise<void> {
  const { output, signal } = run
  const name = caseName(options.case)
  const order = orderOf(options)
  const written = readQuery(options, run)
  const query = Object.keys(written).length > 0 ? written : undefined
  const dryRun = options.dryRun ?? false
  await withCustody(run, async (ports) => {
    const progress = (found: number, mailbox: string): void =>
      output.progress([`${name}: ${countOf(found, 'message')} found, in ${mailbox}`])
    const report = await holdByQuery(name, query, order, ports.mailboxes, ports, { dryRun, signal, progress })
    tellHold(run, report, dryRun)
  })
  if (signal.aborted)
    output.problem(
      `case ${name}`,
      new Error('not finished: the same command goes on, also without its query'),
    )
}

function tellHold({ output }: Run, report: HoldReport, dryRun: boolean): void {
  const { case: name, matched, held, already, missing } = report
  output.result({ ...report, ...(dryRun ? { dryRun } : {}) }, () => {
    const verb = dryRun ? 'would be held' : 'held'
    return `${name}: ${countOf(matched, 'message')} found: ${countText(held)} ${verb}, ${countText(already)} held before${goneText(missing.length)}`
  })
  for (const { mailbox, sha256 } of missing)
    output.problem(
      `case ${name}`,
      new Error(`${mailbox}/${sha256}: the archive has no such message (any more)`),
    )
}

/** Closes a case and releases what no other case holds. */
export async function releaseCommand(run: Run, options: CaseOptions): Promise<void> {
  const { output, signal } = run
  const name = caseName(options.case)
  const order = orderOf(options)
  const dryRun = options.dryRun ?? false
  await withCustody(run, async (ports) => {
    const progress = (done: number, all: number): void =>
      output.progress([`${name}: ${countText(done)} of ${countOf(all, 'message')}`])
    const report = await releaseCase(name, order, ports, { dryRun, signal, progress })
    const { released, kept, missing } = report
    output.result({ ...report, ...(dryRun ? { dryRun } : {}) }, () => {
      const verb = dryRun ? 'would be released' : 'released'
      const state = dryRun ? '' : signal.aborted ? ' being closed:' : ' closed:'
      return `${name}:${state} ${countOf(released, 'message')} ${verb}, ${countText(kept)} held on by other cases${goneText(missing)}`
    })
  })
  if (signal.aborted) output.problem(`case ${name}`, new Error('not finished: the same command goes on'))
}

function goneText(missing: number): string {
  return missing > 0 ? `, ${countText(missing)} not in the archive` : ''
}

export function caseName(text: string): CaseName {
  if (CASE_NAME_PATTERN.test(text)) return text as CaseName
  throw new ConfigurationError('--case', [
    `${JSON.stringify(text)} is not the name of a case; expected lower-case letters, digits and hyphens, at most 63`,
  ])
}
