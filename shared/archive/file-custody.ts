import { rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { IngestError } from '../errors.ts'
import type { Custody } from './custody.ts'
import { statIfThere } from './durable-file.ts'
import { toFileError } from './file-errors.ts'
import { fileLayout } from './file-layout.ts'
import { addRetention, readLock, setHold } from './file-locks.ts'
import { openFolderSync } from './folder-sync.ts'
import { assertLegalKey } from './legal-key.ts'
import { refuseDeletion, refuseShortening } from './lock-rules.ts'

/**
 * Custody over an archive of files. The rules are S3's, and it is this program alone that keeps them: whoever may write to the folder can delete
 * what he likes, and a hold that is set while a deletion of the same message is under way may come too late.
 */
export function openFileCustody(folder: string): Custody {
  const root = resolve(folder)
  const layout = fileLayout(root)
  const folders = openFolderSync(root)

  async function mustExist(key: string): Promise<string> {
    assertLegalKey(key)
    const path = layout.object(key)
    if (!(await statIfThere(path)))
      throw new IngestError('ARCHIVE_CONFLICT', `${path}: there is no such object`)
    return path
  }

  async function translated(work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => {
      throw toFileError(error, `archive ${root}`)
    })
  }

  const custody: Custody = {
    async hold({ key }, status) {
      await mustExist(key)
      await setHold(layout, folders, key, status)
    },

    async retain({ key }, retention) {
      const path = await mustExist(key)
      refuseShortening(path, await readLock(layout, key), retention)
      await addRetention(layout, folders, key, retention)
    },

    async delete({ key }, options) {
      assertLegalKey(key)
      const path = layout.object(key)
      refuseDeletion(path, await readLock(layout, key), options, new Date())
      // The octets first, the locks last: what is left of a deletion that was interrupted is removed by the next one.
      for (const name of [path, layout.sidecar(key), layout.locks(key)]) {
        await rm(name, { recursive: true, force: true })
        if (await statIfThere(dirname(name))) await folders.sync(dirname(name))
      }
    },
  }
  return {
    hold: (version, status) => translated(custody.hold(version, status)),
    retain: (version, retention) => translated(custody.retain(version, retention)),
    delete: (version, options) => translated(custody.delete(version, options)),
  }
}
