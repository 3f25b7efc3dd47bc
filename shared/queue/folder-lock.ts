import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '../make-folder.ts'

/**
 * Takes a folder for this process. Undefined when another process has it. The lock is SQLite's on an empty database: the system lets go
 * of it when the process ends, however it ends, so nothing stale is ever left.
 */
export function lockFolder(folder: string): { release(): void } | undefined {
  makeFolder(folder)
  const database = new DatabaseSync(join(folder, 'lock.sqlite'), { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw error
  }
  return { release: () => database.close() }
}

/** SQLITE_BUSY (5). */
function isBusy(error: unknown): boolean {
  return resultOf(error) === 5
}

/** SQLITE_CORRUPT (11), SQLITE_NOTADB (26). */
export function isDamaged(error: unknown): boolean {
  return [11, 26].includes(resultOf(error) ?? 0)
}

/** SQLite's result code without what extends it. */
function resultOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined
  return error.errcode & 0xff
}
