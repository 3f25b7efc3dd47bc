import { isUtf8 } from 'node:buffer'
import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { missing } from './missing.ts'

/** A password has no reason to be longer; a wrong path may lead to something that is. */
const MOST_OCTETS = 64 * 1024

/**
 * The content of a file, without a byte order mark and one line end at its end. A relative path starts at `folder`. Refused when others than the owner may read it,
 * as ssh refuses such keys; Windows has no such modes.
 */
export async function filePassword(path: string, folder: string): Promise<string> {
  const reference = `file:${path}`
  // Not waiting for who would write into a pipe.
  const how = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const handle = await open(resolve(folder, path), how).catch((error: NodeJS.ErrnoException) => {
    throw missing(
      reference,
      error.code === 'ENOENT' ? 'there is no such file' : `cannot be read (${error.code})`,
      error,
    )
  })
  try {
    const facts = await handle.stat()
    const { mode, size } = facts
    if (!facts.isFile()) throw missing(reference, 'it is no file')
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw missing(reference, `others may use it (mode ${(mode & 0o777).toString(8)}); run chmod 600 on it`)
    if (size > MOST_OCTETS) throw missing(reference, `it has ${size} octets; expected a password alone`)
    const octets = await handle.readFile()
    if (!isUtf8(octets)) throw missing(reference, 'it is not UTF-8')
    const secret = octets.toString('utf8').replace(/^\ufeff|\r?\n$/g, '')
    if (secret === '') throw missing(reference, 'it is empty')
    return secret
  } finally {
    await handle.close()
  }
}

/** When and as which file it was written; not its size, which is that of the password. Undefined when it is not there. */
export async function fileVersion(path: string, folder: string): Promise<string | undefined> {
  const facts = await stat(resolve(folder, path)).catch(() => undefined)
  return facts && `${facts.ino}-${facts.mtimeMs}`
}
