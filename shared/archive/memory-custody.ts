import { IngestError } from '../errors.ts'
import type { VersionName } from './audit.ts'
import type { Custody } from './custody.ts'
import { refuseDeletion, refuseShortening } from './lock-rules.ts'
import type { MemoryObjects, MemoryVersion } from './memory.ts'

/** Custody over the objects of a memory archive, with the rules of S3. */
export function openMemoryCustody(objects: MemoryObjects): Custody {
  function find({ key, versionId }: VersionName): MemoryVersion | undefined {
    return objects.get(key)?.find(({ facts }) => facts.versionId === versionId)
  }

  function get(version: VersionName): MemoryVersion {
    const found = find(version)
    if (!found) throw new IngestError('ARCHIVE_CONFLICT', `${nameOf(version)}: there is no such version`)
    return found
  }

  /** Every version but the one named, and in its place what it has become. */
  function replace({ key, versionId }: VersionName, by: readonly MemoryVersion[]): void {
    const versions = (objects.get(key) ?? []).flatMap((each) =>
      each.facts.versionId === versionId ? by : [each],
    )
    if (versions.length > 0) objects.set(key, versions)
    else objects.delete(key)
  }

  return {
    async hold(version, status) {
      const found = get(version)
      replace(version, [{ ...found, facts: { ...found.facts, legalHold: status === 'on' } }])
    },

    async retain(version, { mode, until }) {
      const found = get(version)
      refuseShortening(nameOf(version), found.facts, { mode, until })
      const facts = { ...found.facts, lockMode: mode, retainUntil: until.toISOString() }
      replace(version, [{ ...found, facts }])
    },

    async delete(version, options) {
      const found = find(version)
      if (!found) return
      refuseDeletion(nameOf(version), found.facts, options, new Date())
      replace(version, [])
    },
  }
}

function nameOf({ key, versionId }: VersionName): string {
  return `memory:///${key}${versionId === undefined ? '' : ` (version ${versionId})`}`
}
