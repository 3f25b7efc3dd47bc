import { randomUUID } from 'node:crypto'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CREDENTIALS } from '../limits.ts'
import { filePassword } from './file.ts'
import { unsaved } from './missing.ts'

/**
 * Puts `secret` in the place of `expected`; false when there is another one by now. Whoever gives the next file its name, which says of
 * which file it is the successor, has won and alone puts it in place; what a killed process left is put in place by the next one who comes. The
 * file is whole at every moment.
 */
export async function replaceFilePassword(
  path: string,
  folder: string,
  expected: string,
  secret: string,
): Promise<boolean> {
  const file = resolve(folder, path)
  const reference = `file:${path}`
  const generation = await generationOf(file)
  if ((await filePassword(path, folder)) !== expected) return false
  const next = `${file}.${generation}.next`
  const written = `${file}.${randomUUID()}.new`
  try {
    await write(written, secret)
    if (!(await linked(written, next))) {
      // Its owner is about to do it. Helping a living one could put a later successor over the file that it has become.
      if (await isLeft(next)) await renamed(next, file)
      return false
    }
    if ((await generationOf(file)) !== generation) {
      // We were late: somebody else's file is there.
      await rm(next, { force: true })
      return false
    }
    await renamed(next, file)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === undefined) throw error
    throw unsaved(reference, `the file cannot be replaced (${code})`, error)
  } finally {
    await rm(written, { force: true })
  }
}

async function write(path: string, secret: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(`${secret}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** False when something has that name. */
async function linked(path: string, name: string): Promise<boolean> {
  try {
    await link(path, name)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isLeft(next: string): Promise<boolean> {
  const facts = await stat(next).catch(() => undefined)
  return facts !== undefined && Date.now() - facts.mtimeMs > CREDENTIALS.fileLeftMs
}

/** Somebody else may have done it already. */
async function renamed(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

async function generationOf(file: string): Promise<string | undefined> {
  const facts = await stat(file).catch(() => undefined)
  return facts && `${facts.ino}-${facts.mtimeMs}`
}
