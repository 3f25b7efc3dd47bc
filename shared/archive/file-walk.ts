import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectKey } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { ListedObject } from './archive.ts'
import { errnoOf } from './file-errors.ts'
import { isLegalSegment } from './legal-key.ts'

/** Files whose sizes are asked for at the same time. */
const SIZES_AT_ONCE = 64

/** `storedAt` is when its octets were written, ISO 8601. */
export interface WalkedObject extends ListedObject {
  readonly storedAt: string
}

/**
 * The objects of a file archive in the byte order of their keys, one folder after the other: memory is that of the largest
 * folder. Names that no key can have (those with a leading dot first of all) are not ours and left out.
 */
export async function* walk(root: string, prefix: string, after = ''): AsyncGenerator<WalkedObject> {
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  yield* walkFolder(root, start, prefix, after)
}

/** `folder`: the keys' common start, empty or with a slash at its end. */
async function* walkFolder(
  root: string,
  folder: string,
  prefix: string,
  after: string,
): AsyncGenerator<WalkedObject> {
  const entries = (await entriesOf(join(root, folder)))
    .filter(({ name }) => isLegalSegment(name))
    .map((entry) => ({ entry, key: `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}` }))
    .filter(({ key }) => key.startsWith(prefix) || prefix.startsWith(key))
    // A folder may hold keys after `after` when it begins as `after` does.
    .filter(({ key }) => key > after || (key.endsWith('/') && after.startsWith(key)))
    // Legal names are ASCII, so the order of UTF-16 code units is the order of octets; a folder sorts with its slash.
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  let files: string[] = []
  for (const { entry, key } of entries) {
    if (entry.isFile()) files.push(key)
    else if (!entry.isDirectory())
      throw new IngestError('ARCHIVE_CONFLICT', `${join(root, key)}: neither a file nor a folder`)
    if (files.length === SIZES_AT_ONCE || entry.isDirectory()) {
      yield* await sized(root, files)
      files = []
    }
    if (entry.isDirectory()) yield* walkFolder(root, key, prefix, after)
  }
  yield* await sized(root, files)
}

/** Empty for a folder that does not exist: no key begins with it. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
}

async function sized(root: string, keys: readonly string[]): Promise<WalkedObject[]> {
  return Promise.all(
    keys.map(async (key) => {
      const { size, mtime } = await lstat(join(root, key))
      return { key: key as ObjectKey, octets: size, storedAt: mtime.toISOString() }
    }),
  )
}
