import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { archivedEvent, encodeEvent } from '../../shared/announcement.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { trustedResults } from '../../shared/mail/authentication-results.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'
import { memoryOctets } from '../../shared/octets.ts'

// The event of each message of the corpus, in short: its length, and the start of its digest.

export const SNAPSHOTS = fileURLToPath(new URL('../fixtures/corpus-events.tsv', import.meta.url))

const MAILBOX = mailboxId('corpus')

/** The event as a queue gets it; time and place are always the same. */
export function corpusEvent(octets: Buffer, parsed: ParsedMessage): string {
  const { sha256, length } = memoryOctets(octets)
  const key = rawKey(MAILBOX, sha256)
  const event = archivedEvent({
    mailbox: MAILBOX,
    time: new Date(0),
    raw: { uri: `s3://corpus/${key}`, bucket: 'corpus', key, sha256, octets: length },
    server: { id: MAILBOX, protocol: 'imap', folder: 'INBOX', uid: 1, uidValidity: '1' },
    parsed,
    trustedAuthentication: trustedResults(parsed.authentication, 'mx.google.com'),
  })
  return encodeEvent(event)
}

/** `message octets digest` */
export function snapshotLine(name: string, event: string): string {
  return [name, event.length, createHash('sha256').update(event).digest('hex').slice(0, 16)].join('\t')
}

export function recordedSnapshots(): readonly string[] {
  return readFileSync(SNAPSHOTS, 'utf8').trimEnd().split('\n')
}
