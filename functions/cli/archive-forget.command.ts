import type { MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { parseRawKey } from '../../shared/contract/object-key.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { type Forgotten, forget } from '../../shared/operations/forget.ts'
import { withCustody } from './custody-ports.ts'
import { obstacleText } from './obstacle-text.ts'
import { type OrderOptions, orderOf } from './order.ts'
import { countOf } from './output.ts'
import type { Run } from './run.ts'

export interface ForgetOptions extends OrderOptions {
  readonly dryRun?: boolean
}

/** Erases messages that a law wants to be forgotten. Digits are not enough: what is erased is named whole. */
export async function forgetCommand(run: Run, ids: readonly string[], options: ForgetOptions): Promise<void> {
  const { output } = run
  const order = orderOf(options)
  const wanted = readIds(ids)
  const dryRun = options.dryRun ?? false
  const found = new Set<Sha256>()
  await withCustody(run, async (ports) => {
    for (const [mailbox, digests] of byMailbox(wanted, ports.mailboxes))
      for await (const each of forget(digests, [mailbox], order, ports, { dryRun })) {
        found.add(each.message.entry.sha256 as Sha256)
        tell(run, each)
      }
  })
  for (const { digest } of wanted)
    if (!found.has(digest)) output.problem('archive forget', new Error(`no ledger names a message ${digest}`))
  if (!dryRun && !output.json && found.size > 0)
    output.note(
      `What ledger and cases say of ${countOf(found.size, 'message')} stays, addresses and subject included, and so does what consumers, exports and backups have.`,
    )
}

function tell({ output }: Run, { message, outcome, obstacles, error }: Forgotten): void {
  const { mailbox, entry } = message
  const id = `${mailbox}/${entry.sha256}`
  const isFinal = obstacles.some(({ kind }) => kind === 'retention')
  output.result({ mailbox, sha256: entry.sha256, outcome, obstacles }, () =>
    outcome === 'refused' ? '' : `${id}: ${TEXTS[outcome]}`,
  )
  if (error) output.problem(id, error)
  else if (outcome === 'refused')
    output.problem(
      id,
      new Error(
        `${obstacles.map(obstacleText).join('; ')}${isFinal ? '; in compliance mode nobody can delete it before, not even the root user of the account' : ''}`,
      ),
    )
}

const TEXTS: Readonly<Record<Exclude<Forgotten['outcome'], 'refused'>, string>> = {
  forgotten: 'forgotten',
  'forgotten-before': 'was forgotten before',
  possible: 'would be forgotten',
}

interface WantedMessage {
  readonly digest: Sha256
  /** Undefined: in every mailbox that has it. */
  readonly mailbox: string | undefined
}

function readIds(ids: readonly string[]): readonly WantedMessage[] {
  const problems: string[] = []
  const wanted = ids.flatMap((id): WantedMessage[] => {
    const key = parseRawKey(id)
    if (key) return [{ digest: key.sha256, mailbox: key.mailbox }]
    const [, mailbox, digits] = /^(?:([a-z0-9][a-z0-9-]{0,62})\/)?([0-9a-f]{64})$/i.exec(id) ?? []
    if (digits) return [{ digest: digits.toLowerCase() as Sha256, mailbox }]
    problems.push(`${id}: expected a whole SHA-256, <mailbox>/<sha256>, or a key raw/…`)
    return []
  })
  if (problems.length > 0) throw new ConfigurationError('archive forget', problems)
  return wanted
}

function byMailbox(
  wanted: readonly WantedMessage[],
  mailboxes: readonly MailboxId[],
): (readonly [MailboxId, ReadonlySet<Sha256>])[] {
  return mailboxes.map((id) => [
    id,
    new Set(
      wanted.flatMap(({ mailbox, digest }) => (mailbox === undefined || mailbox === id ? [digest] : [])),
    ),
  ])
}
