import type { ListedVersion } from '../../archive/audit.ts'
import type { ObjectKey } from '../../contract/ids.ts'

/** What is recorded of a key, beside what the store has under it. */
export interface Entry<Recorded> {
  readonly key: ObjectKey
  readonly recorded: Recorded | undefined
  /** The newest first; empty when the store has nothing. */
  readonly versions: readonly ListedVersion[]
}

/** Every key that is recorded or listed after `after`, in byte order. `listed` is in that order, versions of one key beside each other. */
export async function* besideEachOther<Recorded>(
  recorded: ReadonlyMap<ObjectKey, Recorded>,
  listed: AsyncIterable<ListedVersion>,
  after: string,
): AsyncGenerator<Entry<Recorded>> {
  // Keys that are recorded are ASCII, so the order of UTF-16 code units is the order of octets.
  const waiting = [...recorded.keys()]
    .filter((key) => key > after)
    .sort()
    .values()
  let next = waiting.next()
  for await (const versions of byKey(listed)) {
    const { key } = versions[0]
    for (; !next.done && next.value < key; next = waiting.next())
      yield { key: next.value, recorded: recorded.get(next.value), versions: [] }
    if (!next.done && next.value === key) next = waiting.next()
    yield { key, recorded: recorded.get(key), versions }
  }
  for (; !next.done; next = waiting.next())
    yield { key: next.value, recorded: recorded.get(next.value), versions: [] }
}

async function* byKey(
  listed: AsyncIterable<ListedVersion>,
): AsyncGenerator<[ListedVersion, ...ListedVersion[]]> {
  let group: [ListedVersion, ...ListedVersion[]] | undefined
  for await (const version of listed) {
    if (group && group[0].key === version.key) group.push(version)
    else {
      if (group) yield group
      group = [version]
    }
  }
  if (group) yield group
}

/** The versions of keys up to `last`, it included; all when there is none. */
export async function* upTo(
  listed: AsyncIterable<ListedVersion>,
  last: string | undefined,
): AsyncGenerator<ListedVersion> {
  for await (const version of listed) {
    if (last !== undefined && version.key > last) return
    yield version
  }
}
