import {
  appendStep,
  applyStep,
  type CaseHead,
  idOf,
  listCases,
  type Members,
  type Order,
  readMembers,
  readSteps,
} from '../cases/case-log.ts'
import { type HoldPorts, setHold } from '../cases/hold-messages.ts'
import type { CaseMessage } from '../cases/step.ts'
import type { CaseName } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { inLanes } from '../lanes.ts'
import { CASES } from '../limits.ts'

export interface ReleaseReport {
  readonly case: CaseName
  readonly released: number
  /** Held on, for another case holds them too. */
  readonly kept: number
  readonly missing: number
}

export interface ReleaseOptions {
  readonly dryRun: boolean
  readonly signal: AbortSignal
  readonly progress: (done: number, all: number) => void
}

/**
 * Closes a case: no new mail is held for it from now on, and each of its messages is released unless another open case holds it. An interrupted run is
 * finished by the same call. Rejects with CASE_STATE when there is no such case or it is closed, and when it cannot be told yet what others
 * hold: another case whose search was interrupted, or a hold that is just being set.
 */
export async function releaseCase(
  name: CaseName,
  order: Order,
  ports: HoldPorts,
  { dryRun, signal, progress }: ReleaseOptions,
): Promise<ReleaseReport> {
  const { archive, now } = ports
  const others = new OtherCases(name, ports)
  await others.refresh()
  others.assertComplete()
  const close = (head: CaseHead | undefined) => {
    if (!head || head.header.state === 'closed')
      throw new IngestError('CASE_STATE', `case ${name} ${head ? 'is closed' : 'does not exist'}`)
    return head.header.state === 'open' && !dryRun
      ? ({ step: 'closing', state: 'closing', ...order } as const)
      : undefined
  }
  await appendStep(name, archive, close, now())
  const { members } = await readMembers(name, archive)
  const done = { released: 0, kept: 0, missing: 0 }
  const waiting: CaseMessage[] = []
  for (const { message, is, at } of members.values()) {
    if (is === 'holding') assertAbandoned(name, at, now())
    if (is === 'holding' || is === 'held') waiting.push(message)
    else done[is]++
  }
  for (let from = 0; from < waiting.length; from += CASES.stepMessages) {
    if (signal.aborted) return { case: name, ...done }
    const batch = waiting.slice(from, from + CASES.stepMessages)
    const outcomes = dryRun ? others.judge(batch) : await releaseBatch(name, batch, order, others, ports)
    for (const { outcome } of outcomes) done[outcome as 'released' | 'kept' | 'missing']++
    progress(from + batch.length, waiting.length)
  }
  if (!dryRun)
    await appendStep(
      name,
      archive,
      (head) =>
        head?.header.state === 'closing' ? { step: 'closed', state: 'closed', ...order } : undefined,
      now(),
    )
  return { case: name, ...done }
}

/**
 * Lifts what no other case holds, and sets what one does. The others are looked at again after each change, until what is set is what they ask for:
 * a case that names a message before it holds it is either seen here, or sets its hold after ours was lifted.
 */
async function releaseBatch(
  name: CaseName,
  batch: readonly CaseMessage[],
  order: Order,
  others: OtherCases,
  { archive, custody, now }: HoldPorts,
): Promise<readonly CaseMessage[]> {
  const set = new Map<string, CaseMessage>()
  await others.refresh()
  while (true) {
    const changed = others.judge(batch).filter((message) => !isSettled(message, set.get(idOf(message))))
    if (changed.length === 0) break
    const settled = await inLanes(changed, CASES.holdsAtOnce, async (message): Promise<CaseMessage> => {
      const there = await setHold(custody, message, message.outcome === 'kept' ? 'on' : 'off')
      return there ? message : { ...message, outcome: 'missing' }
    })
    for (const message of settled) set.set(idOf(message), message)
    await others.refresh()
  }
  const messages = [...set.values()]
  await appendStep(name, archive, () => ({ step: 'released', ...order, messages }), now())
  return messages
}

function isSettled({ outcome }: CaseMessage, was: CaseMessage | undefined): boolean {
  return was !== undefined && (was.outcome === outcome || was.outcome === 'missing')
}

/** Whoever named a message and did not confirm that it is held may be about to hold it, or was killed: time tells. */
function assertAbandoned(name: CaseName, at: string, now: Date): void {
  if (now.getTime() - Date.parse(at) >= CASES.holdingMs) return
  throw new IngestError(
    'CASE_STATE',
    `case ${name}: messages are being held by another run since ${at}; release again in ${CASES.holdingMs / 60_000} minutes`,
  )
}

/** What every other open case holds, kept up to date by their new steps alone. */
class OtherCases {
  readonly #name: CaseName
  readonly #ports: HoldPorts
  readonly #known = new Map<CaseName, { head: CaseHead; members: Members }>()

  constructor(name: CaseName, ports: HoldPorts) {
    this.#name = name
    this.#ports = ports
  }

  async refresh(): Promise<void> {
    const open = new Set<CaseName>()
    for await (const head of listCases(this.#ports.archive)) {
      const { case: name, state } = head.header
      if (name === this.#name || state !== 'open') continue
      open.add(name)
      await this.#update(name)
    }
    for (const name of this.#known.keys()) if (!open.has(name)) this.#known.delete(name)
  }

  /** Throws CASE_STATE while another case does not know all of its messages. */
  assertComplete(): void {
    for (const [name, { head }] of this.#known)
      if (head.header.searched < head.header.queries.length)
        throw new IngestError(
          'CASE_STATE',
          `case ${name} has not found all of its messages, its search was interrupted or is under way: run mailsluice archive hold --case ${name} to its end first`,
        )
  }

  /** What is to become of each message. */
  judge(messages: readonly CaseMessage[]): CaseMessage[] {
    return messages.map(({ keptBy: _, ...message }) => {
      const keptBy = [...this.#known].flatMap(([name, { members }]) => {
        const is = members.get(idOf(message))?.is
        return is === 'holding' || is === 'held' ? [name] : []
      })
      return keptBy.length > 0 ? { ...message, outcome: 'kept', keptBy } : { ...message, outcome: 'released' }
    })
  }

  async #update(name: CaseName): Promise<void> {
    const known = this.#known.get(name)
    const members: Members = known?.members ?? new Map()
    let head = known?.head
    for await (const step of readSteps(name, this.#ports.archive, head)) {
      applyStep(members, step)
      head = { header: step.header, sha256: step.sha256 }
    }
    if (head) this.#known.set(name, { head, members })
  }
}
