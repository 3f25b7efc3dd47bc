import { createHash, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openFileArchive } from '../../shared/archive/file.ts'
import { fileLayout } from '../../shared/archive/file-layout.ts'
import { formatSidecar } from '../../shared/archive/sidecar.ts'
import type { DrainId, MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { MessageEntry } from '../../shared/ledger/segment.ts'
import { DRAIN } from '../../shared/limits.ts'
import { draftOf } from './segments.ts'

const DRAIN_ID = 'synthetic' as DrainId
const WRITERS = 32

/**
 * An archive of files as drains leave it, with so many messages of about 2 KB, each different, one a minute since 2026-01-01. Made without the fsyncs that a
 * drain waits for, so that a hundred thousand take a minute.
 */
export async function writeSyntheticArchive(
  folder: string,
  mailbox: MailboxId,
  messages: number,
): Promise<void> {
  const layout = fileLayout(folder)
  const archive = openFileArchive(folder)
  const ledger = await openLedger(mailbox, { archive, state: undefined })
  const folders = new Set<string>()

  async function write(path: string, octets: Buffer): Promise<void> {
    const parent = dirname(path)
    if (!folders.has(parent)) await mkdir(parent, { recursive: true })
    folders.add(parent)
    await writeFile(path, octets, { mode: 0o444 })
  }

  async function store(number: number, seq: number): Promise<MessageEntry> {
    const { octets, ...entry } = syntheticMessage(number)
    const sha256 = createHash('sha256').update(octets).digest('hex') as Sha256
    const key = rawKey(mailbox, sha256)
    await write(layout.object(key), octets)
    const facts = { key, octets: octets.length, sha256, contentType: 'message/rfc822', put: randomUUID() }
    const writtenFor = { seq, drain: DRAIN_ID }
    await write(layout.sidecar(key), formatSidecar({ ...facts, writtenFor, storedAt: entry.date }))
    return {
      type: 'message',
      folder: 'INBOX',
      epoch: '1',
      id: number + 1,
      outcome: 'announced',
      sha256,
      octets: octets.length,
      queue: 'default',
      class: 'ordinary',
      parse: 'parsed',
      ...entry,
    }
  }

  for (let first = 0; first < messages; first += DRAIN.segmentMessages) {
    const numbers = Array.from(
      { length: Math.min(DRAIN.segmentMessages, messages - first) },
      (_, i) => first + i,
    )
    const entries: MessageEntry[] = []
    const waiting = numbers.values()
    await Promise.all(
      Array.from({ length: WRITERS }, async () => {
        for (const number of waiting) entries[number - first] = await store(number, ledger.nextSeq)
      }),
    )
    await ledger.commit(draftOf(entries, { drain: DRAIN_ID }), undefined)
  }
}

function syntheticMessage(number: number) {
  const date = new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString()
  const from = `sender${number % 500}@example${number % 20}.com`
  const subject = `Invoice ${number} of ${WORDS[number % WORDS.length]}`
  const messageId = `synthetic-${number}@example.com`
  const header = `From: ${from}\r\nTo: archive@example.org\r\nSubject: ${subject}\r\nDate: ${new Date(date).toUTCString()}\r\nMessage-ID: <${messageId}>\r\n\r\n`
  const octets = Buffer.from(header + `Line of message ${number}, as many as it takes.\r\n`.repeat(35))
  return { octets, date, from, subject, messageId }
}

const WORDS = ['granite', 'harbour', 'lantern', 'meadow', 'orchard', 'saddle', 'thimble'] as const
