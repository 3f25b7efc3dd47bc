import { randomUUID } from 'node:crypto'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { filePassword } from './file.ts'
import { unsaved } from './missing.ts'

/**
 * Puts `secret` in the place of `expected`; false when there is another one by now. Whoever gives the next file its name, which says of
 * which file it is the successor, has won; whoever finds one that a killed process left puts it in place. The file is whole at every moment.
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
    const won = await linked(written, next)
    // Nobody else changes a file whose successor has its name; one who was late finds another file there.
    if ((await generationOf(file)) === generation) await renamed(next, file)
    else if (won) await rm(next, { force: true })
    return (await filePassword(path, folder)) === secret
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
