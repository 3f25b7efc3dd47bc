import { type Order, openCases } from '../cases/case-log.ts'
import { type HoldPorts, holdMessages } from '../cases/hold-messages.ts'
import type { CaseMessage } from '../cases/step.ts'
import type { CaseName, MailboxId } from '../contract/ids.ts'
import { holdCursorKey, ledgerKey, ledgerPrefix, parseLedgerKey } from '../contract/object-key.ts'
import { readSegment, readSegments } from '../ledger/ledger.ts'
import { type Place, readPlace, writePlace } from '../ledger/place.ts'
import { CASES } from '../limits.ts'
import { messagesIn } from '../query/archived-messages.ts'
import { matcherOf } from '../query/matcher.ts'
import type { StateStore } from '../state/state.ts'
import { caseMessageOf } from './hold.ts'

/** `state`: where it is kept how far a mailbox was looked at; losing it costs a re-read. Undefined: the whole ledger is read each time. */
export interface NewMailPorts extends HoldPorts {
  readonly state: StateStore | undefined
}

export interface NewMailReport {
  readonly mailbox: MailboxId
  /** Segments that were compared with open cases. */
  readonly segments: number
  /** Messages held, counted once for each case. */
  readonly held: number
}

/**
 * Holds what has arrived in a mailbox and matches an open case. To be called after every new segment, by one who may set holds and release none; called
 * again, twice at the same time or for nothing, it does no harm.
 *
 * Nothing slips between the opening of a case and this: the segments are listed first and the cases are read after that. A case that is not seen here
 * was opened after these segments were written, and whoever opens one records it and looks through the ledgers only then.
 */
export async function holdNewMail(
  mailbox: MailboxId,
  by: string,
  ports: NewMailPorts,
): Promise<NewMailReport> {
  const { archive } = ports
  const cursor = await readPlace(holdCursorKey(mailbox), mailbox, ports)
  const last = await lastSegment(mailbox, ports, cursor)
  if (last === undefined) return { mailbox, segments: 0, held: 0 }
  const cases = (await openCases(archive)).map(({ header }) => ({
    name: header.case,
    matchers: header.queries.map(matcherOf),
  }))
  let segments = 0
  let held = 0
  // Where no case is open the last segment alone is read, for the cursor.
  const from = cases.length === 0 ? [await readSegment(mailbox, archive, last)] : undefined
  for await (const segment of from ?? readSegments(mailbox, archive, cursor)) {
    const { seq } = segment.header
    if (seq > last) break
    segments++
    const arrived = messagesIn(segment)
    for (const { name, matchers } of cases) {
      // What an entry does not tell (more recipients than it has room for) counts as meant: one message too many is held, none too few.
      const meant = arrived.filter((message) => matchers.some((matches) => matches(message) !== 'no'))
      const order = { by, reason: `new mail in segment ${seq} of ${mailbox}` }
      held += await holdInSteps(name, meant.map(caseMessageOf), order, ports)
    }
    // After each, for who is stopped by his deadline.
    await writePlace(holdCursorKey(mailbox), { seq, sha256: segment.sha256 }, ports)
  }
  return { mailbox, segments, held }
}

async function holdInSteps(
  name: CaseName,
  messages: readonly CaseMessage[],
  order: Order,
  ports: HoldPorts,
): Promise<number> {
  let held = 0
  for (let from = 0; from < messages.length; from += CASES.stepMessages) {
    const batch = messages.slice(from, from + CASES.stepMessages)
    const outcomes = await holdMessages(name, batch, order, ports, { joined: false })
    held += outcomes?.length ?? 0
  }
  return held
}

/** The number of the last segment; undefined when there is none after the cursor. */
async function lastSegment(
  mailbox: MailboxId,
  { archive }: HoldPorts,
  cursor: Place | undefined,
): Promise<number | undefined> {
  const after = cursor && ledgerKey(mailbox, cursor.seq)
  let last: number | undefined
  for await (const { key } of archive.list(ledgerPrefix(mailbox), after))
    last = parseLedgerKey(key)?.seq ?? last
  return last
}
