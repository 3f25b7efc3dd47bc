import { createHash } from 'node:crypto'
import type { MailboxId } from '../contract/ids.ts'

/** One of `count` tasks that share the mailboxes; `index` from 0. */
export interface Shard {
  readonly index: number
  readonly count: number
}

export const WHOLE: Shard = { index: 0, count: 1 }

/**
 * The task that watches the mailbox: the one with the highest hash (rendezvous hashing). Tasks agree without speaking, and when one more is added
 * only those mailboxes move that it takes.
 */
export function shardOf(mailbox: MailboxId, count: number): number {
  let best = 0
  let most = -1
  for (let index = 0; index < count; index++) {
    const weight = createHash('sha256').update(`${index} ${mailbox}`).digest().readUIntBE(0, 6)
    if (weight <= most) continue
    most = weight
    best = index
  }
  return best
}
