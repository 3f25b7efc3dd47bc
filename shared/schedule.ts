import { createHash } from 'node:crypto'
import { durationMs, type MailboxConfig } from './contract/config.ts'

/**
 * The mailboxes whose turn it is at a tick. Each has its own place within its interval, given by a hash of its id, so that ten thousand
 * with the same interval do not sign in at the same moment. An interval shorter than a tick is due at every tick.
 */
export function dueMailboxes(
  mailboxes: readonly MailboxConfig[],
  tick: Date,
  tickMs: number,
): readonly MailboxConfig[] {
  const number = Math.floor(tick.getTime() / tickMs)
  return mailboxes.filter(({ id, every }) => {
    const ticks = Math.max(1, Math.round(durationMs(every) / tickMs))
    return (number + place(id)) % ticks === 0
  })
}

/** Lists of at most `size`. */
export function groupsOf<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = []
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size))
  return groups
}

function place(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32BE(0)
}
