import { randomUUID } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { all, removeIfThere, writeDurably } from '../archive/durable-file.ts'
import { octetsToStore } from '../archive/exact-octets.ts'
import { toFileError } from '../archive/file-errors.ts'
import { openFolderSync } from '../archive/folder-sync.ts'
import { assertLegalKey } from '../archive/legal-key.ts'
import type { ObjectKey } from '../contract/ids.ts'
import type { OctetsToStore } from '../octets.ts'
import type { DerivedStore } from './derived.ts'

/**
 * The derived store as files of one machine, under the same keys. A file gets its name when it is whole and on the disk. Nothing expires:
 * whoever needs the room deletes what is old, for it can be made again.
 */
export function openFileDerived(folder: string): DerivedStore {
  const root = resolve(folder)
  const incoming = join(root, '.incoming')
  const folders = openFolderSync(root)

  async function put(key: ObjectKey, body: OctetsToStore): Promise<void> {
    const path = join(root, key)
    await all([folders.ensure(incoming), folders.ensure(dirname(path))])
    const unnamed = join(incoming, randomUUID())
    try {
      await writeDurably(unnamed, octetsToStore(key, body))
      await rename(unnamed, path)
    } finally {
      await removeIfThere(unnamed)
    }
    await folders.sync(dirname(path))
  }

  return {
    bucket: undefined,
    uri: (key) => pathToFileURL(join(root, key)).href,
    async put(key, body) {
      assertLegalKey(key)
      await put(key, body).catch((error: unknown) => {
        throw toFileError(error, `derived ${root}`)
      })
    },
  }
}
