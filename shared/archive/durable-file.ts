import { type FileHandle, link, lstat, open, readFile, unlink } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { errnoOf } from './file-errors.ts'

/** Creates a read-only file. Its octets are on the disk when this resolves; its name is so after an fsync of the folder. */
export async function writeDurably(
  path: string,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<void> {
  const handle = await open(path, 'wx', 0o444)
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const READ_OCTETS = 256 * 1024

/**
 * The octets of an open file that has so many; the stream closes it. It makes a buffer of its highWaterMark for each read, and most messages are far smaller:
 * buffers of the file's own size cost a third of the processor time.
 */
export function readStreamOf(handle: FileHandle, octets: number): Readable {
  return handle.createReadStream({ highWaterMark: Math.min(octets + 1, READ_OCTETS) })
}

/** Gives a file one more name, unless something has that name: then false. The only way to create and never replace. */
export async function linkNew(path: string, name: string): Promise<boolean> {
  try {
    await link(path, name)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Undefined when there is none. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(ifThere)
}

/** Size and inode number; undefined when there is none. */
export async function statIfThere(path: string): Promise<{ size: number; ino: number } | undefined> {
  return lstat(path).catch(ifThere)
}

export async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch(ifThere)
}

/** Like Promise.all, but nothing is left running behind a rejection. */
export async function all(work: readonly Promise<unknown>[]): Promise<void> {
  for (const end of await Promise.allSettled(work)) if (end.status === 'rejected') throw end.reason
}

function ifThere(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error
}
