import { ConfigurationError } from '../../shared/errors.ts'
import {
  type DeletedOrKept,
  deleteExpired,
  type Judged,
  simulateExpiry,
} from '../../shared/operations/expired.ts'
import {
  type Extension,
  extendRetention,
  type Kept,
  showRetention,
} from '../../shared/operations/retention.ts'
import type { ArchivedMessage } from '../../shared/query/archived-messages.ts'
import { timeSchema } from '../../shared/query/query.ts'
import { withCustody } from './custody-ports.ts'
import { ObstacleTally, obstacleText } from './obstacle-text.ts'
import { type OrderOptions, orderOf } from './order.ts'
import { countOf, countText, octetsText, printable } from './output.ts'
import { type QueryOptions, readQuery } from './query-options.ts'
import type { Run } from './run.ts'

/** Until when each message is kept, and why, as the store has it. */
export async function retentionShowCommand(run: Run, options: QueryOptions): Promise<void> {
  const { output, signal } = run
  const query = readQuery(options, run)
  await withCustody(run, async (ports) => {
    for await (const kept of showRetention(query, ports.mailboxes, ports)) {
      if (signal.aborted) return
      const { message, facts, cases } = kept
      const { lockMode, retainUntil, legalHold } = facts ?? {}
      const lock = { lockMode, retainUntil, legalHold, cases, found: facts !== undefined }
      output.result({ ...named(message), ...lock }, () => `${idText(message)}  ${keptText(kept)}`)
    }
  })
}

export interface ExtendOptions extends QueryOptions, OrderOptions {
  readonly until: string
  readonly dryRun?: boolean
}

/** Keeps messages longer. */
export async function retentionExtendCommand(run: Run, options: ExtendOptions): Promise<void> {
  const { output, signal } = run
  const query = readQuery(options, run)
  const until = timeOf('--until', options.until)
  if (until <= new Date()) throw new ConfigurationError('--until', [`${options.until} is past`])
  const order = orderOf(options)
  const dryRun = options.dryRun ?? false
  const counts = { extended: 0, enough: 0, missing: 0, possible: 0, refused: 0 }
  await withCustody(run, async (ports) => {
    const all = extendRetention(query, until, ports.mailboxes, order, ports, { dryRun })
    for await (const extension of all) {
      counts[extension.outcome]++
      tellExtension(run, extension, until)
      if (signal.aborted) break
    }
  })
  const changed = dryRun ? counts.possible : counts.extended
  if (!output.json)
    output.result({}, () => {
      const verb = dryRun ? 'would be kept' : 'kept'
      return `${countOf(changed, 'message')} ${verb} until ${until.toISOString()}; ${countText(counts.enough)} kept as long already`
    })
  if (signal.aborted) output.problem('retention extend', new Error('not finished: the same command goes on'))
}

export interface SimulateOptions extends QueryOptions {
  readonly on: string
}

/** What may be deleted at a time, and what keeps the rest. */
export async function retentionSimulateCommand(run: Run, options: SimulateOptions): Promise<void> {
  const query = readQuery(options, run)
  const at = timeOf('--on', options.on)
  const tally = new ObstacleTally()
  await withCustody(run, async (ports) => {
    for await (const judged of simulateExpiry(query, at, ports.mailboxes, ports)) {
      if (run.signal.aborted) return
      tally.add(judged.obstacles)
      run.output.result({ ...named(judged.message), obstacles: judged.obstacles }, () => judgedText(judged))
    }
  })
  if (!run.output.json) run.output.result({}, () => `on ${at.toISOString()}: ${tally.text('may be deleted')}`)
}

export interface DeleteOptions extends QueryOptions, OrderOptions {
  readonly dryRun?: boolean
}

/** Deletes what has expired, and tells how much of the rest is kept by what. */
export async function retentionDeleteCommand(run: Run, options: DeleteOptions): Promise<void> {
  const order = orderOf(options)
  if (options.dryRun) {
    await retentionSimulateCommand(run, { ...options, on: new Date().toISOString() })
    return
  }
  const query = readQuery(options, run)
  const tally = new ObstacleTally()
  await withCustody(run, async (ports) => {
    for await (const each of deleteExpired(query, ports.mailboxes, order, ports)) {
      tellDeletion(run, each)
      if (!each.error) tally.add(each.obstacles)
      if (run.signal.aborted) return
    }
  })
  if (!run.output.json) run.output.result({}, () => tally.text('deleted'))
}

function tellDeletion({ output }: Run, { message, obstacles, error }: DeletedOrKept): void {
  if (error) output.problem(idText(message), error)
  else if (obstacles.length === 0)
    output.result({ ...named(message), outcome: 'deleted' }, () => `deleted  ${idText(message)}`)
}

function tellExtension({ output }: Run, { message, from, outcome, error }: Extension, until: Date): void {
  if (output.json) output.result({ ...named(message), from, until: until.toISOString(), outcome }, () => '')
  if (outcome === 'refused') output.problem(idText(message), error)
  if (outcome === 'missing')
    output.problem(idText(message), new Error('the archive has no such message (any more)'))
}

function judgedText({ message, obstacles }: Judged): string {
  const why = obstacles.length === 0 ? 'may be deleted' : obstacles.map(obstacleText).join('; ')
  return `${idText(message)}  ${why}`
}

function keptText({ facts, cases }: Kept): string {
  if (!facts) return 'not in the archive'
  const { lockMode, retainUntil, legalHold } = facts
  const lock = lockMode && retainUntil ? `${lockMode} until ${retainUntil}` : 'no retention'
  const hold = legalHold ? `, held${cases.length > 0 ? ` for ${cases.join(', ')}` : ''}` : ''
  return `${lock}${hold}`
}

function named({ mailbox, entry, archivedAt }: ArchivedMessage) {
  const { sha256, octets, versionId, subject } = entry
  return { mailbox, sha256, octets, versionId, archivedAt, subject }
}

function idText({ mailbox, entry }: ArchivedMessage): string {
  const subject = entry.subject === undefined ? '' : `  ${printable(entry.subject)}`
  return `${mailbox}/${entry.sha256.slice(0, 12)}  ${octetsText(entry.octets)}${subject}`
}

/** A day begins at midnight UTC. */
function timeOf(option: string, text: string): Date {
  if (timeSchema.safeParse(text).success) return new Date(Math.floor(Date.parse(text) / 1000) * 1000)
  throw new ConfigurationError(option, [
    `${text} is not a time; expected YYYY-MM-DD (UTC), or a time with its zone such as 2026-03-01T08:00:00Z`,
  ])
}
