import { copyFile, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { IngestError } from '../errors.ts'
import { inLanes } from '../lanes.ts'
import { EXPORT } from '../limits.ts'
import type { Octets } from '../octets.ts'
import { openFileWriter } from './file-writer.ts'
import type { ExportFormat } from './part.ts'

/**
 * A file for each message: `<mailbox>/<aa>/<sha256>.eml`, with the octets that were archived, whole under its name or not there. A part is the list of
 * those that were written.
 */
export function emlFormat(): ExportFormat {
  return {
    name: 'eml',
    ending: 'sums',
    perMailbox: false,
    addsAtOnce: EXPORT.filesAtOnce,
    async open(file) {
      const sums = await openFileWriter(file)
      const folder = dirname(file)
      const folders = new Map<string, Promise<unknown>>()
      /** In the order of the messages, whichever is written first. */
      const names: string[] = []
      return {
        async add({ mailbox, entry }, octets) {
          const name = `${mailbox}/${entry.sha256.slice(0, 2)}/${entry.sha256}.eml`
          names.push(name)
          const path = join(folder, name)
          await failing(path, () => writeWhole(path, octets, folders))
        },
        miss: async () => {},
        async end() {
          // Together, after all are written: a file system that is asked once a message does little else.
          await inLanes(names, EXPORT.filesAtOnce, (name) => failing(name, () => sync(join(folder, name))))
          await sums.write(names.map((name) => `${basename(name, '.eml')}  ${name}\n`).join(''))
          return sums.end()
        },
        abort: () => sums.abort(),
      }
    },
    sums: async (file) => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== ''),
  }
}

async function writeWhole(
  path: string,
  { buffer, path: spooled }: Octets,
  folders: Map<string, Promise<unknown>>,
): Promise<void> {
  const parent = dirname(path)
  const made = folders.get(parent) ?? mkdir(parent, { recursive: true })
  folders.set(parent, made)
  await made
  if (buffer) await writeFile(`${path}.partial`, buffer, { mode: 0o600 })
  else await copyFile(spooled as string, `${path}.partial`)
  await rename(`${path}.partial`, path)
}

async function sync(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function failing(path: string, work: () => Promise<unknown>): Promise<void> {
  await work().catch((cause: unknown) => {
    throw new IngestError('EXPORT_FAILED', `${path}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  })
}
