import type { ObjectKey } from '../../contract/ids.ts'
import { inLanes } from '../../lanes.ts'
import { VERIFY } from '../../limits.ts'
import type { Tally } from './checkpoint.ts'
import type { Finding } from './finding.ts'
import { type Inspector, inspect, type Recorded } from './inspection.ts'
import type { Entry } from './versions.ts'

export interface StepsListener {
  found(finding: Finding): void
  /** Everything up to this key is told, and in the tally. */
  stepped?(last: ObjectKey): void
}

/** Inspects entries in their order, VERIFY.keysPerStep of them at a time. False when the signal ended it before the end, between two steps. */
export async function inspectInSteps(
  entries: AsyncIterable<Entry<Recorded>>,
  inspector: Inspector,
  tally: Tally,
  { found, stepped }: StepsListener,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let step: Entry<Recorded>[] = []
  /** False when it is left here. Something is done before, so that a run that is ended at once gets on all the same. */
  const end = async (): Promise<boolean> => {
    for (const one of await inLanes(step, VERIFY.inspectedAtOnce, (entry) => inspect(entry, inspector))) {
      for (const finding of one.findings) found(finding)
      tally.inspected += Number(one.inspected)
      tally.read += Number(one.read)
      tally.held += Number(one.held)
      tally.underWay += Number(one.underWay)
    }
    for (const { recorded } of step)
      if (recorded?.octets !== undefined) {
        tally.messages++
        tally.octets += recorded.octets
      }
    const last = step.at(-1)
    if (!last) return true
    stepped?.(last.key)
    step = []
    return !signal?.aborted
  }
  for await (const entry of entries) {
    step.push(entry)
    if (step.length >= VERIFY.keysPerStep && !(await end())) return false
  }
  return end()
}
