import { createHash, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { all, linkNew, readIfThere, removeIfThere, writeDurably } from '../archive/durable-file.ts'
import { errnoOf, toFileError } from '../archive/file-errors.ts'
import { openFolderSync } from '../archive/folder-sync.ts'
import { assertLegalKey } from '../archive/legal-key.ts'
import type { ObjectKey } from '../contract/ids.ts'
import type { Revision, StateEntry, StateStore } from './state.ts'

const GENERATION = /^\d{10}$/

/** Generations that stay; with fewer, a write overtaken by others would be uncertain sooner. */
const KEPT = 8

/**
 * State as files of one machine: a folder for each key, in it one file for each generation of the entry, `0000000001` the first;
 * the highest number counts. A write makes the next number by link(2), which fails when somebody else made it: a compare-and-swap
 * without a lock that could be left behind. Only the last few generations stay.
 *
 * No update is lost, and none is made twice. But a process that stands still in the middle of a write while others make
 * eight more is told `false`, also when its write came in time and was overtaken: nothing can tell the two apart by then.
 */
export function openFileState(folder: string): StateStore {
  const root = resolve(folder)
  const incoming = join(root, '.incoming')
  const folders = openFolderSync(root)

  /** In no order. */
  async function generations(key: string): Promise<number[]> {
    const names = await readdir(join(root, key)).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return []
      throw error
    })
    return names.filter((name) => GENERATION.test(name)).map(Number)
  }

  const pathOf = (key: string, generation: number): string =>
    join(root, key, String(generation).padStart(10, '0'))

  async function read(key: string): Promise<(StateEntry & { generation: number }) | undefined> {
    while (true) {
      const generation = Math.max(0, ...(await generations(key)))
      if (generation === 0) return undefined
      const content = await readIfThere(pathOf(key, generation))
      // Gone: there is a higher one by now.
      if (content) return { content, generation, revision: revisionOf(generation, content) }
    }
  }

  /** False when the number is taken, or may have been taken and removed. */
  async function tryWrite(key: string, generation: number, path: string): Promise<boolean> {
    if (!(await linkNew(path, pathOf(key, generation)))) return false
    const there = await generations(key)
    if (Math.max(...there) >= generation + KEPT) {
      await removeIfThere(pathOf(key, generation))
      return false
    }
    await folders.sync(join(root, key))
    const old = there.filter((other) => other <= generation - KEPT)
    await all(old.map((other) => removeIfThere(pathOf(key, other))))
    return true
  }

  async function write(
    key: string,
    content: Buffer,
    expected: Revision | undefined | 'any',
  ): Promise<boolean> {
    await all([folders.ensure(incoming), folders.ensure(join(root, key))])
    const path = join(incoming, randomUUID())
    try {
      await writeDurably(path, [content])
      while (true) {
        const current = await read(key)
        if (expected !== 'any' && current?.revision !== expected) return false
        const generation = (current?.generation ?? 0) + 1
        if (await tryWrite(key, generation, path)) return true
        if (expected !== 'any') return false
      }
    } finally {
      await removeIfThere(path)
    }
  }

  const where = `state ${root}`
  async function readEntry(key: ObjectKey): Promise<StateEntry | undefined> {
    assertLegalKey(key)
    const entry = await translated(where, read(key))
    return entry && { content: entry.content, revision: entry.revision }
  }

  return {
    read: readEntry,
    async readIfChanged(key, known) {
      const entry = await readEntry(key)
      return entry?.revision === known ? 'unchanged' : entry
    },
    async write(key, content, expected) {
      assertLegalKey(key)
      return translated(where, write(key, content, expected))
    },
  }
}

/** With the content: a folder that was made anew counts from one again. */
function revisionOf(generation: number, content: Buffer): Revision {
  return `${generation}-${createHash('sha256').update(content).digest('hex')}` as Revision
}

async function translated<T>(where: string, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw toFileError(error, where)
  })
}
