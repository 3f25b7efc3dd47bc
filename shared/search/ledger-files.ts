import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Archive } from '../archive/archive.ts'
import { errnoOf } from '../archive/file-errors.ts'
import type { MailboxId, ObjectKey } from '../contract/ids.ts'
import { ledgerPrefix, parseLedgerKey } from '../contract/object-key.ts'
import { SEARCH } from '../limits.ts'

/**
 * Copies ledgers to files under `folder`, with the keys as paths; segments that are there already are not fetched again, for they never change. Rejects with
 * ARCHIVE_… and with what the disk says.
 */
export async function copyLedgers(
  mailboxes: readonly MailboxId[],
  archive: Archive,
  folder: string,
  progress: (segments: number) => void = () => {},
): Promise<void> {
  let done = 0
  const next = missing(mailboxes, archive, folder)
  const lane = async (): Promise<void> => {
    for await (const key of next) {
      await copy(key, archive, join(folder, key))
      progress(++done)
    }
  }
  await Promise.all(Array.from({ length: SEARCH.segmentsAtOnce }, lane))
}

async function* missing(
  mailboxes: readonly MailboxId[],
  archive: Archive,
  folder: string,
): AsyncGenerator<ObjectKey> {
  for (const mailbox of mailboxes)
    for await (const { key, octets } of archive.list(ledgerPrefix(mailbox)))
      if (parseLedgerKey(key) && (await sizeOf(join(folder, key))) !== octets) yield key
}

async function copy(key: ObjectKey, archive: Archive, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const { body } = await archive.get(key)
  const partial = `${file}.partial`
  try {
    await pipeline(body, createWriteStream(partial, { mode: 0o600 }))
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
