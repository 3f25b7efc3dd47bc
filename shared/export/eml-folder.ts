import { mkdir, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../archive/file-errors.ts'
import { IngestError } from '../errors.ts'
import { openFileWriter } from './file-writer.ts'
import type { ExportFormat } from './part.ts'

/** A file for each message: `<mailbox>/<aa>/<sha256>.eml`, with the octets that were archived. A part is the list of those that were written. */
export function emlFormat(): ExportFormat {
  return {
    name: 'eml',
    ending: 'sums',
    perMailbox: false,
    async open(file) {
      const sums = await openFileWriter(file)
      const folder = dirname(file)
      return {
        async add({ mailbox, entry }, octets) {
          const name = `${mailbox}/${entry.sha256.slice(0, 2)}/${entry.sha256}.eml`
          const path = join(folder, name)
          // Named by its content, and renamed when it was complete.
          if ((await sizeOf(path)) !== octets.length) {
            await failing(path, mkdir(dirname(path), { recursive: true }))
            const writer = await openFileWriter(`${path}.partial`)
            for await (const chunk of octets.open() as AsyncIterable<Buffer>) await writer.write(chunk)
            await writer.end()
            await failing(path, rename(`${path}.partial`, path))
          }
          await sums.write(`${entry.sha256}  ${name}\n`)
        },
        miss: async () => {},
        end: () => sums.end(),
        abort: () => sums.abort(),
      }
    },
    sums: async (file) => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== ''),
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function failing(path: string, work: Promise<unknown>): Promise<void> {
  await work.catch((cause: unknown) => {
    throw new IngestError('EXPORT_FAILED', `${path}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  })
}
