import { readdir, rename, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { IngestError } from '../errors.ts'
import { ARCHIVE } from '../limits.ts'
import { readIfThere, removeIfThere, statIfThere } from './durable-file.ts'
import { errnoOf } from './file-errors.ts'
import type { FileLayout } from './file-layout.ts'
import { keyOfSharedPut, parseSidecar, parseSidecarOf, type Sidecar } from './sidecar.ts'

/** The metadata of a put that is being ended by a cleaner: under this name its own process can no longer commit it. */
const ENDING = '.ending'
const DATA = '.data'

/**
 * Ends the puts that killed processes left in `.incoming`, a day after: one that was committed is completed, any other
 * removed. Several processes may do it at the same time, and a put that is still alive after a day fails and harms nothing.
 */
export async function endInterruptedPuts(
  layout: FileLayout,
  complete: (sidecar: Sidecar) => Promise<void>,
): Promise<void> {
  const before = Date.now() - ARCHIVE.incomingMs
  for (const name of await readdir(layout.incoming)) {
    const path = join(layout.incoming, name)
    if (!(await isOlder(path, before))) continue
    if (name.endsWith('.json')) {
      // Once it is renamed, no commit can come between the look at the key and the removal.
      if (await renameIfThere(path, path + ENDING)) await end(layout, basename(name, '.json'), complete)
    } else if (name.endsWith(`.json${ENDING}`)) await end(layout, basename(name, `.json${ENDING}`), complete)
    else if (keyOfSharedPut(name) !== undefined) await endShared(layout, basename(name, DATA), complete)
    else if (!(await hasMetadata(layout, basename(name, extname(name))))) await removeIfThere(path)
  }
}

/** Completes the puts of keys with a prefix that were committed and have no object yet, whether their processes are alive or not. */
export async function completePuts(
  layout: FileLayout,
  prefix: string,
  complete: (sidecar: Sidecar) => Promise<void>,
): Promise<void> {
  for (const name of await namesIn(layout.incoming)) {
    const sidecar = name.endsWith('.json')
      ? await committedOwn(layout, name, prefix)
      : name.endsWith(DATA) && keyOfSharedPut(name)?.startsWith(prefix)
        ? await committedShared(layout, basename(name, DATA))
        : undefined
    if (sidecar && !(await statIfThere(layout.object(sidecar.key)))) await complete(sidecar)
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
}

/** The put that owns metadata in `.incoming`, if its key begins with the prefix. */
async function committedOwn(layout: FileLayout, name: string, prefix: string): Promise<Sidecar | undefined> {
  const text = await readIfThere(join(layout.incoming, name))
  if (!text || !parseSidecar(text)?.key.startsWith(prefix)) return undefined
  return committed(layout, basename(name, '.json'), text)
}

/**
 * A put whose metadata is a group's. No rename keeps a process that is still alive from a commit after this; the object is lost then,
 * until it is put again, and whoever puts it has the same octets, for its key says their SHA-256.
 */
async function endShared(
  layout: FileLayout,
  put: string,
  complete: (sidecar: Sidecar) => Promise<void>,
): Promise<void> {
  const sidecar = await committedShared(layout, put)
  if (sidecar && !(await isCompleted(sidecar, complete))) return
  await removeIfThere(layout.incomingData(put))
}

async function end(
  layout: FileLayout,
  put: string,
  complete: (sidecar: Sidecar) => Promise<void>,
): Promise<void> {
  const ending = layout.incomingSidecar(put) + ENDING
  const sidecar = await committed(layout, put, await readIfThere(ending))
  if (sidecar && !(await isCompleted(sidecar, complete))) return
  await removeIfThere(layout.incomingData(put))
  await removeIfThere(ending)
}

/** False when somebody changed the archive by hand: what is left may help him, and must not keep others from working. */
async function isCompleted(
  sidecar: Sidecar,
  complete: (sidecar: Sidecar) => Promise<void>,
): Promise<boolean> {
  try {
    await complete(sidecar)
    return true
  } catch (error) {
    if (error instanceof IngestError && error.code === 'ARCHIVE_CONFLICT') return false
    throw error
  }
}

/** Undefined when the key belongs to no put or to another one, and for metadata that was cut off by the kill. */
async function committed(
  layout: FileLayout,
  put: string,
  text: Buffer | undefined,
): Promise<Sidecar | undefined> {
  const own = text && parseSidecar(text)
  if (!own) return undefined
  const named = await readIfThere(layout.sidecar(own.key))
  return named && parseSidecar(named)?.put === put ? own : undefined
}

/** Undefined when the key belongs to no put or to another one. */
async function committedShared(layout: FileLayout, put: string): Promise<Sidecar | undefined> {
  const key = keyOfSharedPut(put)
  const named = key && (await readIfThere(layout.sidecar(key)))
  const sidecar = named && parseSidecarOf(key, named)
  return sidecar?.put === put ? sidecar : undefined
}

/** Asked in the order in which the names are taken, so that a rename in between is not missed. */
async function hasMetadata(layout: FileLayout, put: string): Promise<boolean> {
  const path = layout.incomingSidecar(put)
  return (await statIfThere(path)) !== undefined || (await statIfThere(path + ENDING)) !== undefined
}

async function isOlder(path: string, time: number): Promise<boolean> {
  const facts = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  return facts !== undefined && facts.mtimeMs < time
}

async function renameIfThere(path: string, name: string): Promise<boolean> {
  try {
    await rename(path, name)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
