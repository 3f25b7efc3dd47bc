import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { IngestError } from '../errors.ts'
import type { ArchiveAudit } from './audit.ts'
import { readStreamOf } from './durable-file.ts'
import { octetsAsStored } from './exact-octets.ts'
import { openFileArchive } from './file.ts'
import { errnoOf, toFileError } from './file-errors.ts'
import { fileLayout } from './file-layout.ts'
import { readLock } from './file-locks.ts'
import { walk } from './file-walk.ts'

/** Looks at an archive of files: one version of each key, and no locks. */
export function openFileAudit(folder: string): ArchiveAudit {
  const layout = fileLayout(resolve(folder))
  const archive = openFileArchive(folder)
  const where = `archive ${layout.root}`

  return {
    locks: false,
    defaultRetention: async () => undefined,

    async *versions(prefix, after) {
      try {
        for await (const { key, octets, storedAt } of walk(layout.root, prefix, after))
          yield { key, versionId: undefined, octets, storedAt, latest: true, deleteMarker: false }
      } catch (error) {
        throw toFileError(error, where)
      }
    },

    async inspect({ key }) {
      const facts = await archive.find(key)
      // What our own custody keeps to (file-custody.ts).
      return facts && { ...facts, ...(await readLock(layout, key)) }
    },

    async open({ key }) {
      const path = layout.object(key)
      const handle = await open(path, 'r').catch((cause: unknown) => {
        if (errnoOf(cause) !== 'ENOENT') throw toFileError(cause, where)
        throw new IngestError('ARCHIVE_CONFLICT', `${path}: there is no such object`, { cause })
      })
      try {
        return octetsAsStored(path, readStreamOf(handle, (await handle.stat()).size))
      } catch (error) {
        await handle.close()
        throw toFileError(error, where)
      }
    },
  }
}
