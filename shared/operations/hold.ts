import { appendStep, idOf, type Members, type Order, readMembers } from '../cases/case-log.ts'
import { assertOpen, type HoldPorts, holdMessages } from '../cases/hold-messages.ts'
import type { CaseHeader, CaseMessage } from '../cases/step.ts'
import type { CaseName, MailboxId, Sha256 } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { readSegments } from '../ledger/ledger.ts'
import { CASES } from '../limits.ts'
import { type ArchivedMessage, messagesIn } from '../query/archived-messages.ts'
import { decider, type QueryPorts } from '../query/find.ts'
import type { MessageQuery } from '../query/query.ts'

export interface HoldReport {
  readonly case: CaseName
  /** Messages that the queries of the case match. */
  readonly matched: number
  /** Of them, held by this run; with a dry run, those that would be. */
  readonly held: number
  /** Of them, held for this case before. */
  readonly already: number
  /** Of them, those of which the archive has no such version. */
  readonly missing: readonly CaseMessage[]
}

export interface HoldOptions {
  readonly dryRun: boolean
  readonly signal: AbortSignal
  readonly progress: (matched: number, mailbox: MailboxId) => void
}

/**
 * Holds every archived message that the query matches for a case, which is opened or widened by it; without a query, what the case asks for already.
 * The query is recorded before anything is looked for, so that mail which arrives from then on is held by who holds new mail. An
 * interrupted run is finished by the same call. Rejects with CASE_STATE when the case is closed or, without a query, not there.
 */
export async function holdByQuery(
  name: CaseName,
  query: MessageQuery | undefined,
  order: Order,
  mailboxes: readonly MailboxId[],
  ports: HoldPorts & QueryPorts,
  { dryRun, signal, progress }: HoldOptions,
): Promise<HoldReport> {
  const queries = dryRun
    ? await queriesWith(name, query, ports)
    : await recordQuery(name, query, order, ports)
  const { members } = await readMembers(name, ports.archive)
  const isMeant = anyOf(queries, ports)
  const batches = new Batches(name, order, ports, members, dryRun)
  const ledgers: { mailbox: MailboxId; seq: number; sha256: Sha256 }[] = []
  for (const mailbox of mailboxes) {
    let head: { seq: number; sha256: Sha256 } | undefined
    for await (const segment of readSegments(mailbox, ports.archive)) {
      if (signal.aborted) return batches.finish()
      head = { seq: segment.header.seq, sha256: segment.sha256 }
      for (const message of messagesIn(segment))
        if (await isMeant(message)) await batches.add(caseMessageOf(message))
      progress(batches.matched, mailbox)
    }
    if (head) ledgers.push({ mailbox, ...head })
  }
  const report = await batches.finish()
  if (!dryRun)
    await appendStep(
      name,
      ports.archive,
      // Another query that came meanwhile is searched for by who brought it.
      (head) =>
        head?.header.state === 'open'
          ? { step: 'searched', ...order, searched: queries.length, ledgers }
          : undefined,
      ports.now(),
    )
  return report
}

function anyOf(
  queries: readonly MessageQuery[],
  ports: QueryPorts,
): (message: ArchivedMessage) => Promise<boolean> {
  const deciders = queries.map((query) => decider(query, ports))
  return async (message) => {
    for (const isMeant of deciders) if (await isMeant(message)) return true
    return false
  }
}

export function caseMessageOf({ mailbox, entry }: Pick<ArchivedMessage, 'mailbox' | 'entry'>): CaseMessage {
  const { sha256, versionId } = entry
  return { type: 'message', mailbox, sha256: sha256 as Sha256, ...(versionId ? { versionId } : {}) }
}

/** As JSON they are the same, whatever the order of their fields. */
function isSame(a: MessageQuery, b: MessageQuery): boolean {
  const canonical = (query: MessageQuery): string =>
    JSON.stringify(Object.entries(query).sort(([one], [other]) => one.localeCompare(other)))
  return canonical(a) === canonical(b)
}

async function queriesWith(
  name: CaseName,
  query: MessageQuery | undefined,
  { archive }: HoldPorts,
): Promise<readonly MessageQuery[]> {
  const { head } = await readMembers(name, archive)
  if (!head && query) return [query]
  const { queries } = assertOpen(name, head).header
  return query ? [...queries, query] : queries
}

async function recordQuery(
  name: CaseName,
  query: MessageQuery | undefined,
  order: Order,
  { archive, now }: HoldPorts,
): Promise<readonly MessageQuery[]> {
  const head = await appendStep(
    name,
    archive,
    (before) => {
      if (!before && query) return { step: 'opened', ...order, queries: [query] }
      const { queries } = assertOpen(name, before).header
      if (!query || queries.some((known) => isSame(known, query))) return undefined
      return { step: 'widened', ...order, queries: [...queries, query] }
    },
    now(),
  )
  return (head as { header: CaseHeader }).header.queries
}

/** Collects messages into steps of a bounded size; those that an interrupted run had named already are held without being named again. */
class Batches {
  matched = 0
  readonly #name: CaseName
  readonly #order: Order
  readonly #ports: HoldPorts
  readonly #members: Members
  readonly #dryRun: boolean
  readonly #fresh: CaseMessage[] = []
  readonly #joined: CaseMessage[] = []
  readonly #missing: CaseMessage[] = []
  #held = 0
  #already = 0

  constructor(name: CaseName, order: Order, ports: HoldPorts, members: Members, dryRun: boolean) {
    this.#name = name
    this.#order = order
    this.#ports = ports
    this.#members = members
    this.#dryRun = dryRun
  }

  async add(message: CaseMessage): Promise<void> {
    this.matched++
    const known = this.#members.get(idOf(message))
    if (known?.is === 'held') {
      this.#already++
      return
    }
    if (known?.is === 'missing') {
      this.#missing.push(message)
      return
    }
    const batch = known ? this.#joined : this.#fresh
    batch.push(message)
    if (batch.length === CASES.stepMessages) await this.#hold(batch)
  }

  async finish(): Promise<HoldReport> {
    await this.#hold(this.#joined)
    await this.#hold(this.#fresh)
    const { matched } = this
    return {
      case: this.#name,
      matched,
      held: this.#held,
      already: this.#already,
      missing: this.#missing,
    }
  }

  async #hold(batch: CaseMessage[]): Promise<void> {
    const messages = batch.splice(0)
    if (messages.length === 0) return
    if (this.#dryRun) {
      this.#held += messages.length
      return
    }
    const joined = batch === this.#joined
    const outcomes = await holdMessages(this.#name, messages, this.#order, this.#ports, { joined })
    if (!outcomes) throw new IngestError('CASE_STATE', `case ${this.#name} was closed by somebody else`)
    for (const message of outcomes)
      if (message.outcome === 'held') this.#held++
      else this.#missing.push(message)
  }
}
