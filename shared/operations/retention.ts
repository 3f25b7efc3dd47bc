import { randomUUID } from 'node:crypto'
import type { Archive, Retention } from '../archive/archive.ts'
import type { ArchiveAudit, VersionFacts } from '../archive/audit.ts'
import type { Custody, RetainUntil } from '../archive/custody.ts'
import { isRetained } from '../archive/lock-rules.ts'
import type { Order } from '../cases/case-log.ts'
import { readHeldMessages } from '../cases/held-messages.ts'
import { archivedEventId } from '../contract/event.ts'
import type { CaseName, DrainId, MailboxId, Sha256 } from '../contract/ids.ts'
import { retentionKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { inGroups, inLanes } from '../lanes.ts'
import { CUSTODY } from '../limits.ts'
import { encodeLines } from '../ndjson.ts'
import { memoryOctets } from '../octets.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import { findByQuery, type QueryPorts } from '../query/find.ts'
import type { MessageQuery } from '../query/query.ts'
import { versionOf } from './obstacles.ts'

export interface Kept {
  readonly message: ArchivedMessage
  /** Undefined when there is no such version. */
  readonly facts: VersionFacts | undefined
  /** The open cases that hold it. */
  readonly cases: readonly CaseName[]
}

/** Until when and why each message is kept, by the store's own account. Rejects as findByQuery does. */
export async function* showRetention(
  query: MessageQuery,
  mailboxes: readonly MailboxId[],
  ports: QueryPorts & { readonly audit: Pick<ArchiveAudit, 'inspect'> },
): AsyncGenerator<Kept> {
  const held = await readHeldMessages(ports.archive)
  for await (const group of inGroups(findByQuery(query, mailboxes, ports), CUSTODY.groupMessages))
    yield* await inLanes(group, CUSTODY.requestsAtOnce, async (message) => ({
      message,
      facts: await ports.audit.inspect(versionOf(message)),
      cases: held.get(archivedEventId(message.mailbox, message.entry.sha256 as Sha256)) ?? [],
    }))
}

export interface ExtendPorts extends QueryPorts {
  readonly archive: Archive
  readonly audit: Pick<ArchiveAudit, 'inspect'>
  readonly custody: Pick<Custody, 'retain'>
  /** What a message without a lock is locked by. */
  readonly retentionOf: (mailbox: MailboxId) => Retention | undefined
  readonly now: () => Date
}

export interface Extension {
  readonly message: ArchivedMessage
  /** ISO 8601; undefined when nothing had kept it. */
  readonly from: string | undefined
  /** `enough`: it is kept as long already. `missing`: there is no such version. `possible`: by a dry run. */
  readonly outcome: 'extended' | 'enough' | 'missing' | 'possible' | 'refused'
  readonly error: IngestError | undefined
}

/**
 * Keeps every message that the query means until then, in the mode that it has; what is kept longer stays so. The order is recorded as evidence before
 * each group is changed, and the result after it. Doing it again changes what an interrupted run left. Rejects as findByQuery does.
 */
export async function* extendRetention(
  query: MessageQuery,
  until: Date,
  mailboxes: readonly MailboxId[],
  order: Order,
  ports: ExtendPorts,
  { dryRun }: { readonly dryRun: boolean },
): AsyncGenerator<Extension> {
  for await (const group of inGroups(findByQuery(query, mailboxes, ports), CUSTODY.groupMessages)) {
    const plans = await inLanes(group, CUSTODY.requestsAtOnce, (message) => plan(message, until, ports))
    const due = plans.filter(({ retain }) => retain !== undefined)
    if (dryRun || due.length === 0) {
      yield* plans.map(({ extension }) => extension)
      continue
    }
    const id = `${stamp(ports.now())}-${randomUUID()}`
    const header = { type: 'retention', v: 1, ...order, until: until.toISOString(), query }
    const record = (step: 'ordered' | 'done', lines: readonly Extension[]): Promise<void> =>
      recordEvidence(
        `${id}-${step}`,
        { ...header, step, at: ports.now().toISOString(), messages: lines.length },
        lines,
        ports.archive,
      )
    await record(
      'ordered',
      due.map(({ extension }) => extension),
    )
    const done = await inLanes(plans, CUSTODY.requestsAtOnce, (each) => carryOut(each, ports))
    await record(
      'done',
      done.filter(({ outcome }) => outcome !== 'enough'),
    )
    yield* done
  }
}

interface Plan {
  readonly extension: Extension
  readonly retain: RetainUntil | undefined
}

async function plan(
  message: ArchivedMessage,
  until: Date,
  { audit, retentionOf, now }: ExtendPorts,
): Promise<Plan> {
  const facts = await audit.inspect(versionOf(message))
  const extension = { message, from: facts?.retainUntil, error: undefined }
  if (!facts) return { extension: { ...extension, outcome: 'missing' }, retain: undefined }
  const retained = isRetained(facts, now())
  if (retained && Date.parse(facts.retainUntil ?? '') >= until.getTime())
    return { extension: { ...extension, outcome: 'enough' }, retain: undefined }
  const mode = (retained ? facts.lockMode : retentionOf(message.mailbox)?.mode) ?? 'governance'
  return { extension: { ...extension, outcome: 'possible' }, retain: { mode, until } }
}

async function carryOut({ extension, retain }: Plan, { custody }: ExtendPorts): Promise<Extension> {
  if (!retain) return extension
  try {
    await custody.retain(versionOf(extension.message), retain)
    return { ...extension, outcome: 'extended' }
  } catch (error) {
    if (!(error instanceof IngestError) || error.code !== 'VERSION_PROTECTED') throw error
    return { ...extension, outcome: 'refused', error }
  }
}

async function recordEvidence(
  id: string,
  header: object,
  extensions: readonly Extension[],
  archive: Archive,
): Promise<void> {
  const lines = extensions.map(({ message, from, outcome, error }) => {
    const { sha256, versionId } = message.entry
    return {
      type: 'message',
      mailbox: message.mailbox,
      sha256,
      versionId,
      from,
      outcome,
      error: error?.message,
    }
  })
  await archive.put(retentionKey(id), memoryOctets(encodeLines([header, ...lines])), {
    contentType: 'application/x-ndjson',
    writtenFor: { seq: 1, drain: randomUUID() as DrainId },
  })
}

/** Keys sort by time. */
function stamp(at: Date): string {
  return at.toISOString().replace(/[:.]/g, '-')
}
