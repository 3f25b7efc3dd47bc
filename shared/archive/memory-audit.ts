import { Readable } from 'node:stream'
import { IngestError } from '../errors.ts'
import type { ArchiveAudit, VersionName } from './audit.ts'
import type { MemoryObjects, MemoryVersion } from './memory.ts'

export function openMemoryAudit(objects: MemoryObjects): ArchiveAudit {
  const find = ({ key, versionId }: VersionName): MemoryVersion | undefined =>
    versionId === undefined
      ? objects
          .get(key)
          ?.slice(0, 1)
          .find(({ content }) => content !== undefined)
      : objects.get(key)?.find(({ facts }) => facts.versionId === versionId)

  return {
    locks: true,
    defaultRetention: async () => undefined,

    async *versions(prefix, after = '') {
      // Keys are ASCII, so the order of UTF-16 code units is the order of octets.
      for (const key of [...objects.keys()].sort()) {
        if (!key.startsWith(prefix) || key <= after) continue
        for (const [index, { content, facts, storedAt }] of (objects.get(key) ?? []).entries())
          yield {
            key,
            versionId: facts.versionId,
            octets: content?.length ?? 0,
            storedAt,
            latest: index === 0,
            deleteMarker: content === undefined,
          }
      }
    },

    async inspect(version) {
      return find(version)?.facts
    },

    async open(version) {
      const content = find(version)?.content
      if (!content)
        throw new IngestError('ARCHIVE_CONFLICT', `memory:///${version.key}: there is no such version`)
      return Readable.from([Buffer.from(content)], { objectMode: false })
    },
  }
}
