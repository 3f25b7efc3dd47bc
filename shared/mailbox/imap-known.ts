import type { Uid } from '../contract/ids.ts'
import type { ImapConnection } from './imap-connection.ts'
import { exchange } from './imap-exchange.ts'
import { sizeIn } from './imap-row.ts'
import { uidRuns, uidSet } from './uid-set.ts'

/** What is known of a listed folder; lives as long as its listing. */
export interface Known {
  readonly listed: readonly Uid[]
  /** RFC822.SIZE as announced; 0 for a UID that the server did not answer for. */
  readonly sizes: Map<Uid, number>
  /** Messages whose octets did not fit RFC822.SIZE but came twice alike. */
  wrongSizes: number
  /** FETCHes that were refused. */
  refusals: number
  /** What may be asked for and not yet read. */
  windowOctets: number
  /** The server takes no FETCH before it has answered the one before. */
  oneAtATime: boolean
}

export function knowing(listed: readonly Uid[], sizes: ReadonlyMap<Uid, number> = new Map()): Known {
  return { listed, sizes: new Map(sizes), wrongSizes: 0, refusals: 0, windowOctets: 0, oneAtATime: false }
}

/** UID and RFC822.SIZE of these UIDs and of those that follow in the folder. A UID without an answer gets size 0 and is asked for all the same. */
export async function learnSizes(
  connection: ImapConnection,
  { sizes, listed }: Known,
  uids: readonly Uid[],
): Promise<void> {
  const { sizeWindowMessages, uidSetCharacters } = connection.limits
  const unknown = new Set<Uid>()
  const add = (candidates: readonly Uid[]): void => {
    for (const uid of candidates) if (unknown.size < sizeWindowMessages && !sizes.has(uid)) unknown.add(uid)
  }
  add(uids)
  add(listed.slice(firstAbove(listed, uids.at(-1) as Uid)))
  const window = [...unknown].sort((a, b) => a - b)
  for (const run of uidRuns(window, uidSetCharacters)) {
    const asked = new Set(run)
    // Refused or not: what has no size then is asked for without.
    await exchange(connection, [`UID FETCH ${uidSet(run)} (UID RFC822.SIZE)`], {
      row(row) {
        if (asked.has(row.uid)) sizes.set(row.uid, sizeIn(row) ?? 0)
      },
    })
    for (const uid of run) if (!sizes.has(uid)) sizes.set(uid, 0)
    // The first run serves the messages that are wanted now; the rest is asked for when they are.
    if (sizes.has(uids[0] as Uid)) break
  }
}

export function sizeOf(sizes: Known['sizes'], id: Uid): number {
  return sizes.get(id) ?? 0
}

function firstAbove(ascending: readonly Uid[], value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) > value) high = middle
    else low = middle + 1
  }
  return low
}
