import { listCases, readSteps } from '../../shared/cases/case-log.ts'
import type { CaseHeader } from '../../shared/cases/step.ts'
import { IngestError } from '../../shared/errors.ts'
import { caseName } from './archive-hold.command.ts'
import { countOf, printable, table } from './output.ts'
import type { Run } from './run.ts'

/** Every case with its state, the open ones first. */
export async function casesListCommand({ output, stores }: Run): Promise<void> {
  const headers: CaseHeader[] = []
  for await (const { header } of listCases(stores.archive)) headers.push(header)
  const order = ['open', 'closing', 'closed']
  headers.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
  const rows = headers.map(({ case: name, state, opened, queries, searched, at }) => [
    name,
    state === 'open' && searched < queries.length ? 'open, search not finished' : state,
    `opened ${day(opened.at)} by ${printable(opened.by)}`,
    `last step ${day(at)}`,
    printable(opened.reason),
  ])
  if (output.json) for (const header of headers) output.result(header, () => '')
  else output.result({}, () => (rows.length > 0 ? table(rows) : 'There is no case.'))
}

/** Every step of a case: who, when, why, and what became of which message. The chain of steps is verified on the way. */
export async function casesShowCommand({ output, stores, signal }: Run, name: string): Promise<void> {
  let steps = 0
  for await (const { header, messages, sha256 } of readSteps(caseName(name), stores.archive)) {
    if (signal.aborted) return
    steps++
    output.result({ ...header, sha256 }, () => stepText(header, sha256))
    for (const message of messages)
      output.result({ case: header.case, seq: header.seq, ...message }, () => {
        const { mailbox, sha256: digest, outcome, keptBy } = message
        return `  ${mailbox}/${digest}${outcome ? ` ${outcome}` : ''}${keptBy ? ` by ${keptBy.join(', ')}` : ''}`
      })
  }
  if (steps === 0) throw new IngestError('CASE_STATE', `there is no case ${name}`)
}

function stepText(
  { seq, step, at, by, reason, queries, messages, ledgers }: CaseHeader,
  sha256: string,
): string {
  const asked =
    step === 'opened' || step === 'widened' ? `\n  query ${printable(JSON.stringify(queries.at(-1)))}` : ''
  const looked = (ledgers ?? []).map(({ mailbox, seq: last }) => `${mailbox} to segment ${last}`).join(', ')
  const what = messages > 0 ? ` ${countOf(messages, 'message')}` : ''
  return `${seq} ${step}${what}, ${at}, by ${printable(by)}: ${printable(reason)}\n  SHA-256 ${sha256}${asked}${looked ? `\n  ${looked}` : ''}`
}

function day(at: string): string {
  return at.slice(0, 10)
}
