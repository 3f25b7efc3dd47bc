import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from '../make-folder.ts'
import { errnoOf } from './file-errors.ts'

interface Turn {
  running: Promise<void>
  next: Promise<void> | undefined
}

/** Makes entries of folders durable. */
export interface FolderSync {
  /**
   * Resolves when every entry that the folder had at the time of the call survives a crash of the machine. Calls are
   * grouped: those that come while an fsync runs share the next one.
   */
  sync(folder: string): Promise<void>
  /** Makes the folder and its parents where they are missing, durably. The work is done once for each folder. */
  ensure(folder: string): Promise<void>
}

/**
 * `root`: parents up to it are synced even when they exist already, for who made them may have died before his fsync. `makeDurably` makes a folder whose
 * parent is there, or leaves it as it is, in place of calls from here.
 */
export function openFolderSync(
  root: string,
  makeDurably?: (folder: string, parent: string) => Promise<void>,
): FolderSync {
  const turns = new Map<string, Turn>()
  const ensured = new Map<string, Promise<void>>()

  function sync(folder: string): Promise<void> {
    const turn = turns.get(folder)
    if (turn) {
      turn.next ??= turn.running.catch(() => undefined).then(() => start(folder))
      return turn.next
    }
    return start(folder)
  }

  function start(folder: string): Promise<void> {
    const turn: Turn = { running: fsync(folder), next: undefined }
    turns.set(folder, turn)
    const done = (): void => {
      // With a `next`, that one takes the place in the map when it starts.
      if (!turn.next) turns.delete(folder)
    }
    turn.running.then(done, done)
    return turn.running
  }

  async function make(folder: string): Promise<void> {
    if (folder === root) return makeRoot()
    const parent = dirname(folder)
    await ensure(parent)
    if (makeDurably) return makeDurably(folder, parent)
    await mkdir(folder).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error
    })
    await sync(parent)
  }

  async function makeRoot(): Promise<void> {
    for (const folder of makeFolder(root)) await sync(dirname(folder))
  }

  function ensure(folder: string): Promise<void> {
    const known = ensured.get(folder)
    if (known) return known
    const made = make(folder)
    ensured.set(folder, made)
    // Only success is remembered: a full disk may have room later.
    made.catch(() => ensured.delete(folder))
    return made
  }

  return { sync, ensure }
}

async function fsync(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
