import { createHash, randomUUID } from 'node:crypto'
import type { Archive } from '../archive/archive.ts'
import { readWhole } from '../archive/read-whole.ts'
import { archivedEventId } from '../contract/event.ts'
import type { CaseName, DrainId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { CASES_PREFIX, casePrefix, caseStepKey, MAX_SEQ, parseCaseStepKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { CASES } from '../limits.ts'
import { memoryOctets } from '../octets.ts'
import { type CaseHeader, type CaseMessage, type CaseStep, corrupt, decodeStep, encodeStep } from './step.ts'

// The log of one case: steps 1, 2, 3 … in the archive, under lock, each with the SHA-256 of the one before. A conditional write of the next
// number is also how several who work on one case keep apart: who loses looks at the new step and decides anew.

/** The last step of a case, with the digest that the next one has to name. */
export interface CaseHead {
  readonly header: CaseHeader
  readonly sha256: Sha256
}

/** What a step adds; number, chain and name are the log's, and what is left out is as it was. */
export interface StepDraft extends Pick<CaseHeader, 'step' | 'by' | 'reason'> {
  readonly state?: CaseHeader['state']
  readonly queries?: CaseHeader['queries']
  readonly searched?: number
  readonly ledgers?: CaseHeader['ledgers']
  readonly messages?: readonly CaseMessage[]
}

/** How a message stands to a case. `at`: when the step was written that says so. */
export interface Membership {
  readonly message: CaseMessage
  readonly is: 'holding' | NonNullable<CaseMessage['outcome']>
  readonly at: string
}

/** Who orders a step, and why. */
export interface Order {
  readonly by: string
  readonly reason: string
}

/** By `<mailbox>/<sha256>`, as events are named. */
export type Members = Map<string, Membership>

export function idOf({ mailbox, sha256 }: Pick<CaseMessage, 'mailbox' | 'sha256'>): string {
  return archivedEventId(mailbox, sha256)
}

/** Undefined when there is no such case. Rejects with CASE_CORRUPT and ARCHIVE_…. */
export async function readHead(name: CaseName, archive: Archive): Promise<CaseHead | undefined> {
  const last = await lastStep(name, archive)
  return last === 0 ? undefined : headOf(await readStep(name, last, archive))
}

/** The heads of all cases, in the order of their names. A few requests for each, however many steps it has. */
export async function* listCases(archive: Archive): AsyncGenerator<CaseHead> {
  let after: ObjectKey | undefined
  while (true) {
    const name = await nextCase(archive, after)
    if (!name) return
    const head = await readHead(name, archive)
    if (head) yield head
    after = caseStepKey(name, MAX_SEQ)
  }
}

async function nextCase(archive: Archive, after: ObjectKey | undefined): Promise<CaseName | undefined> {
  for await (const { key } of archive.list(CASES_PREFIX, after)) {
    const name = parseCaseStepKey(key)?.name
    if (name) return name
  }
  return undefined
}

/** 0 when there is none. A case for all mail of a busy mailbox has a million steps: beyond a page of a listing the last is found by halves. */
async function lastStep(name: CaseName, archive: Archive): Promise<number> {
  let last = 0
  for await (const { key } of archive.list(casePrefix(name))) {
    last = parseCaseStepKey(key)?.seq ?? last
    if (last < CASES.stepsListed) continue
    const isThere = async (seq: number): Promise<boolean> =>
      (await archive.find(caseStepKey(name, seq))) !== undefined
    let beyond = last * 2
    for (; await isThere(beyond); beyond *= 2) last = beyond
    while (beyond - last > 1) {
      const middle = Math.floor((last + beyond) / 2)
      if (await isThere(middle)) last = middle
      else beyond = middle
    }
    return last
  }
  return last
}

export async function openCases(archive: Archive): Promise<CaseHead[]> {
  const open: CaseHead[] = []
  for await (const head of listCases(archive)) if (head.header.state === 'open') open.push(head)
  return open
}

/** Every step after `after` in order, the chain checked. Rejects with CASE_CORRUPT at the first that is missing or does not name its predecessor. */
export async function* readSteps(
  name: CaseName,
  archive: Archive,
  after?: CaseHead,
): AsyncGenerator<CaseStep & CaseHead> {
  let head = after
  const start = after && caseStepKey(name, after.header.seq)
  for await (const { key } of archive.list(casePrefix(name), start)) {
    const seq = parseCaseStepKey(key)?.seq
    if (seq === undefined) continue
    const expected = (head?.header.seq ?? 0) + 1
    if (seq !== expected) throw corrupt(caseStepKey(name, expected), `it is missing, yet ${key} is there`)
    const step = await readStep(name, seq, archive)
    if (step.header.previous !== (head?.sha256 ?? null))
      throw corrupt(
        key,
        `it follows ${step.header.previous ?? 'nothing'}, and the step before is ${head?.sha256 ?? 'nothing'}`,
      )
    head = headOf(step)
    yield step
  }
}

/** What a step says about messages, brought into what was known. */
export function applyStep(members: Members, { header, messages }: CaseStep): void {
  for (const message of messages)
    members.set(idOf(message), { message, is: message.outcome ?? 'holding', at: header.at })
}

/** Every message of a case, as its last step about it says. Takes about 400 octets of memory for each. */
export async function readMembers(
  name: CaseName,
  archive: Archive,
): Promise<{ readonly head: CaseHead | undefined; readonly members: Members }> {
  const members: Members = new Map()
  let head: CaseHead | undefined
  for await (const step of readSteps(name, archive)) {
    applyStep(members, step)
    head = headOf(step)
  }
  return { head, members }
}

/**
 * Writes the next step. `draft` is asked again with what the case has become when somebody else was faster, and says undefined when there is nothing
 * to write any more; it throws when the step may not be. Resolves to the head after it.
 */
export async function appendStep(
  name: CaseName,
  archive: Archive,
  draft: (head: CaseHead | undefined) => StepDraft | undefined,
  now: Date,
): Promise<CaseHead | undefined> {
  for (let attempt = 1; ; attempt++) {
    const head = await readHead(name, archive)
    const next = draft(head)
    if (!next) return head
    const step = stepAfter(name, head, next, now.toISOString())
    const octets = memoryOctets(encodeStep(step))
    const put = await archive.put(caseStepKey(name, step.header.seq), octets, {
      contentType: 'application/x-ndjson',
      writtenFor: { seq: step.header.seq, drain: randomUUID() as DrainId },
    })
    if (put.outcome === 'created') return { header: step.header, sha256: octets.sha256 }
    if (attempt === CASES.attempts)
      throw new IngestError('CASE_STATE', `case ${name}: others write to it all the time`)
  }
}

function stepAfter(name: CaseName, head: CaseHead | undefined, draft: StepDraft, at: string): CaseStep {
  const { messages = [], ...given } = draft
  const before = head?.header
  const { by, reason } = draft
  return {
    header: {
      type: 'case',
      v: 1,
      case: name,
      seq: (before?.seq ?? 0) + 1,
      previous: head?.sha256 ?? null,
      at,
      opened: before?.opened ?? { at, by, reason },
      state: before?.state ?? 'open',
      queries: before?.queries ?? [],
      searched: before?.searched ?? 0,
      ...given,
      messages: messages.length,
    },
    messages,
  }
}

async function readStep(name: CaseName, seq: number, archive: Archive): Promise<CaseStep & CaseHead> {
  const key = caseStepKey(name, seq)
  const content = await readWhole(archive, key, CASES.stepOctets, (octets) =>
    corrupt(key, `${octets} octets are more than a step can have`),
  )
  const step = decodeStep(content, key)
  if (step.header.seq !== seq || step.header.case !== name)
    throw corrupt(key, `it says that it is step ${step.header.seq} of ${step.header.case}`)
  return { ...step, sha256: createHash('sha256').update(content).digest('hex') as Sha256 }
}

function headOf({ header, sha256 }: CaseHead): CaseHead {
  return { header, sha256 }
}
