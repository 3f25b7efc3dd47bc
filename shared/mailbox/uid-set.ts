import type { Uid } from '../contract/ids.ts'

/** Ascending UIDs as an IMAP sequence set (RFC 9051, 9): 1:3,7. */
export function uidSet(uids: readonly Uid[]): string {
  return ranges(uids).join(',')
}

/** The UIDs cut into runs whose sets are at most `maxCharacters` long, so that no command line is too long for a server. */
export function uidRuns(uids: readonly Uid[], maxCharacters: number): Uid[][] {
  const runs: Uid[][] = []
  let run: Uid[] = []
  let length = 0
  for (const uid of uids) {
    const last = run.at(-1)
    const continues = last !== undefined && uid === last + 1
    // A UID that continues a range may still end it: counted as if it always did, once per range.
    const adds = continues ? 0 : 2 * (String(uid).length + 1) + 1
    if (run.length > 0 && length + adds > maxCharacters) {
      runs.push(run)
      run = []
      length = 0
    }
    run.push(uid)
    length += run.length === 1 ? 2 * (String(uid).length + 1) + 1 : adds
  }
  if (run.length > 0) runs.push(run)
  return runs
}

/** What a server calls a UID is checked before it becomes one. */
export function isUid(value: unknown): value is Uid {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff
}

/** Ascending and without repetition. */
export function sortedUids(uids: Iterable<Uid>): Uid[] {
  return [...new Set(uids)].sort((a, b) => a - b)
}

function ranges(uids: readonly Uid[]): string[] {
  const sets: string[] = []
  for (let at = 0; at < uids.length; ) {
    let end = at
    while (end + 1 < uids.length && uids[end + 1] === (uids[end] as number) + 1) end++
    sets.push(end === at ? `${uids[at]}` : `${uids[at]}:${uids[end]}`)
    at = end + 1
  }
  return sets
}
