import type { Archive } from '../archive/archive.ts'
import type { CaseName } from '../contract/ids.ts'
import { openCases, readMembers } from './case-log.ts'

/** The open cases that hold a message, by its id (`<mailbox>/<sha256>`). Takes memory for every message that is held. Rejects with CASE_CORRUPT and ARCHIVE_…. */
export async function readHeldMessages(archive: Archive): Promise<ReadonlyMap<string, readonly CaseName[]>> {
  const held = new Map<string, CaseName[]>()
  for (const { header } of await openCases(archive)) {
    const { members } = await readMembers(header.case, archive)
    for (const [id, { is }] of members)
      if (is === 'holding' || is === 'held') held.set(id, [...(held.get(id) ?? []), header.case])
  }
  return held
}
