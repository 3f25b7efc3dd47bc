import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { errnoOf } from '../archive/file-errors.ts'
import { IngestError } from '../errors.ts'
import { placeSchema } from '../query/archived-messages.ts'
import { querySchema } from '../query/query.ts'
import type { Signer } from '../seal/signer.ts'
import type { ExportFormat } from './part.ts'
import { signature } from './signed-sums.ts'

// The folder of an export: what is done of it (export.json), and in the end the list of sums. Rejects with EXPORT_FAILED, whatever the disk says.

const stateSchema = z.object({
  v: z.literal(1),
  format: z.string(),
  query: querySchema,
  /** Up to which segment each ledger is exported. */
  until: z.record(z.string(), z.int()),
  parts: z.array(
    z.object({
      file: z.string(),
      sha256: z.string(),
      messages: z.int(),
      octets: z.int(),
      errors: z.int(),
    }),
  ),
  /** The last message of the last part. */
  last: placeSchema.optional(),
})

export type ExportState = z.infer<typeof stateSchema>

const STATE_FILE = 'export.json'
const SUMS_FILE = 'SHA256SUMS'

/** Undefined for a folder without an export, which is made where it is missing. */
export async function readState(folder: string): Promise<ExportState | undefined> {
  let text: string
  try {
    text = await readFile(join(folder, STATE_FILE), 'utf8')
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw failed(folder, error)
    await onDisk(folder, () => mkdir(folder, { recursive: true, mode: 0o700 }))
    return undefined
  }
  try {
    return stateSchema.parse(JSON.parse(text))
  } catch (error) {
    throw failed(join(folder, STATE_FILE), error)
  }
}

export async function saveState(folder: string, state: ExportState): Promise<void> {
  const file = join(folder, STATE_FILE)
  await onDisk(file, async () => {
    await writeFile(`${file}.partial`, JSON.stringify(state), { mode: 0o600, flush: true })
    await rename(`${file}.partial`, file)
  })
}

/** Over all parts; what was there is replaced, when it is whole. */
export async function writeSums(folder: string, state: ExportState, format: ExportFormat): Promise<void> {
  const file = join(folder, SUMS_FILE)
  const partial = `${file}.partial`
  await onDisk(file, async () => {
    await rm(partial, { force: true })
    await appendFile(partial, '', { mode: 0o600 })
    for (const part of state.parts) {
      const lines = await format.sums(join(folder, part.file), part.sha256)
      await appendFile(partial, lines.map((line) => `${line}\n`).join(''))
    }
    await rename(partial, file)
  })
}

/** Beside the sums: the signature over them, the key that made it, and what a recipient reads first. Rejects with SIGNING_…, too. */
export async function signFolder(folder: string, signer: Signer, readme: string): Promise<void> {
  await onDisk(folder, async () => {
    const sums = await readFile(join(folder, SUMS_FILE))
    await writeFile(join(folder, `${SUMS_FILE}.sig`), await signature(sums, signer))
    await writeFile(join(folder, 'public-key.pem'), await signer.publicKey())
    await writeFile(join(folder, 'README.txt'), readme)
  })
}

async function onDisk<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof IngestError ? error : failed(where, error)
  }
}

function failed(where: string, cause: unknown): IngestError {
  return new IngestError('EXPORT_FAILED', `${where}: ${cause instanceof Error ? cause.message : cause}`, {
    cause,
  })
}

/** A part gets its name, which it has when it is complete. */
export async function nameFile(partial: string, file: string): Promise<void> {
  await onDisk(file, () => rename(partial, file))
}
