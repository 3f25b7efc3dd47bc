import type { Archive } from '../archive/archive.ts'
import type { Custody } from '../archive/custody.ts'
import type { CaseName } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { inLanes } from '../lanes.ts'
import { CASES } from '../limits.ts'
import { appendStep, type CaseHead, type Order } from './case-log.ts'
import type { CaseMessage } from './step.ts'

export interface HoldPorts {
  readonly archive: Archive
  readonly custody: Pick<Custody, 'hold'>
  readonly now: () => Date
}

/**
 * Holds a batch of messages for a case: they are named as its own, then held, then that is recorded. Whoever dies in between repeats it. `joined`: the first
 * was done before. Resolves to what became of each; undefined when the case is not open (any more), and then nothing was held.
 */
export async function holdMessages(
  name: CaseName,
  messages: readonly CaseMessage[],
  order: Order,
  { archive, custody, now }: HoldPorts,
  { joined }: { readonly joined: boolean },
): Promise<readonly CaseMessage[] | undefined> {
  if (!joined) {
    let open = false
    await appendStep(
      name,
      archive,
      (head) => {
        open = head?.header.state === 'open'
        return open ? { step: 'holding', ...order, messages } : undefined
      },
      now(),
    )
    if (!open) return undefined
  }
  const held = await inLanes(messages, CASES.holdsAtOnce, async (message): Promise<CaseMessage> => {
    return { ...message, outcome: (await setHold(custody, message, 'on')) ? 'held' : 'missing' }
  })
  await appendStep(name, archive, () => ({ step: 'held', ...order, messages: held }), now())
  return held
}

/** False when there is no such version. */
export async function setHold(
  custody: Pick<Custody, 'hold'>,
  { mailbox, sha256, versionId }: CaseMessage,
  status: 'on' | 'off',
): Promise<boolean> {
  try {
    await custody.hold({ key: rawKey(mailbox, sha256), versionId }, status)
    return true
  } catch (error) {
    if (!(error instanceof IngestError) || error.code !== 'ARCHIVE_CONFLICT') throw error
    return false
  }
}

/** Throws CASE_STATE unless the case is open. */
export function assertOpen(name: CaseName, head: CaseHead | undefined): CaseHead {
  if (!head) throw new IngestError('CASE_STATE', `there is no case ${name}`)
  if (head.header.state === 'open') return head
  throw new IngestError(
    'CASE_STATE',
    `case ${name} is ${head.header.state === 'closing' ? 'being closed' : 'closed'}; messages are held again by a case of another name`,
  )
}
