import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RetainUntil } from './custody.ts'
import { removeIfThere, writeDurably } from './durable-file.ts'
import { errnoOf } from './file-errors.ts'
import type { FileLayout } from './file-layout.ts'
import type { FolderSync } from './folder-sync.ts'
import type { Lock } from './lock-rules.ts'

// Locks of a file archive: empty files in `.locks/<key>/`, whose names say everything. Each change makes or removes one name, so that
// two processes that change the same lock at the same time lose neither change.
//
//   hold                              the legal hold is set
//   governance-<seconds since 1970>   kept until then; of several the latest counts

const HOLD = 'hold'
const RETENTION = /^(governance|compliance)-(\d{1,12})$/

export async function readLock(layout: FileLayout, key: string): Promise<Lock> {
  const names = await readdir(layout.locks(key)).catch((error: unknown): string[] => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const [latest] = names
    .flatMap((name) => {
      const [, mode, seconds] = RETENTION.exec(name) ?? []
      return mode && seconds ? [{ mode: mode as RetainUntil['mode'], seconds: Number(seconds) }] : []
    })
    // Of two that end at the same time the stronger one.
    .sort((a, b) => b.seconds - a.seconds || a.mode.localeCompare(b.mode))
  return {
    lockMode: latest?.mode,
    retainUntil: latest && new Date(latest.seconds * 1000).toISOString(),
    legalHold: names.includes(HOLD),
  }
}

/** Durable when it resolves. */
export async function setHold(
  layout: FileLayout,
  folders: FolderSync,
  key: string,
  status: 'on' | 'off',
): Promise<void> {
  if (status === 'on') return addName(layout, folders, key, HOLD)
  const { legalHold } = await readLock(layout, key)
  if (!legalHold) return
  await removeIfThere(join(layout.locks(key), HOLD))
  await folders.sync(layout.locks(key))
}

/** Durable when it resolves. */
export async function addRetention(
  layout: FileLayout,
  folders: FolderSync,
  key: string,
  { mode, until }: RetainUntil,
): Promise<void> {
  await addName(layout, folders, key, `${mode}-${Math.floor(until.getTime() / 1000)}`)
}

async function addName(layout: FileLayout, folders: FolderSync, key: string, name: string): Promise<void> {
  const folder = layout.locks(key)
  await folders.ensure(folder)
  await writeDurably(join(folder, name), []).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
  await folders.sync(folder)
}
