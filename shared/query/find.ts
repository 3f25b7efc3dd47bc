import type { Archive } from '../archive/archive.ts'
import type { MailboxId, Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { catalogue } from '../ledger/catalogue.ts'
import { DRAIN } from '../limits.ts'
import type { Spool } from '../octets.ts'
import type { Parser } from '../parser/parser.ts'
import { type ArchivedMessage, archivedMessages, type Place } from './archived-messages.ts'
import { matcherOf } from './matcher.ts'
import type { MessageQuery } from './query.ts'

export interface QueryPorts {
  readonly archive: Archive
  readonly parser: Parser
  readonly spool: Spool
}

/**
 * Whether a message is meant. Where its entry does not tell, the message is read and parsed; what cannot be decided even then (it is gone, or its
 * lists are longer than the parser reads) counts as meant: it is better to hold one message too many. Rejects with ARCHIVE_… and SPOOL_FAILED.
 */
export function decider(
  query: MessageQuery,
  ports: QueryPorts,
): (message: ArchivedMessage) => Promise<boolean> {
  const matches = matcherOf(query)
  return async (message) => {
    const match = matches(message)
    if (match !== 'unknown') return match === 'yes'
    const read = await readAgain(message, ports)
    if (!read) return true
    const { toCut, attachmentsCut, ...entry } = message.entry
    return matches({ ...message, entry: { ...entry, ...read } }) !== 'no'
  }
}

/**
 * Every message that the query means, mailbox by mailbox in the order in which they were archived. `mailboxes`: all there are; those that the query
 * does not name are not read. `after`: begins behind this place; mailboxes have to be in the order of their ids then. Holds no more than the segments
 * that are read ahead. Rejects with ARCHIVE_…, SPOOL_FAILED and LEDGER_CORRUPT.
 */
export async function* findByQuery(
  query: MessageQuery,
  mailboxes: readonly MailboxId[],
  ports: QueryPorts,
  after?: Place,
): AsyncGenerator<ArchivedMessage> {
  const isMeant = decider(query, ports)
  for (const mailbox of mailboxes) {
    if (query.mailboxes && !query.mailboxes.includes(mailbox)) continue
    if (after && mailbox < after.mailbox) continue
    let passing = mailbox === after?.mailbox
    for await (const message of archivedMessages(mailbox, ports.archive)) {
      if (passing && after && message.seq <= after.seq) {
        if (message.seq === after.seq && message.entry.sha256 === after.sha256) passing = false
      } else if (await isMeant(message)) yield message
    }
  }
}

async function readAgain({ mailbox, entry }: ArchivedMessage, { archive, parser, spool }: QueryPorts) {
  try {
    const { body } = await archive.get(rawKey(mailbox, entry.sha256 as Sha256))
    const octets = await spool.collect(body, DRAIN.memoryMessageOctets)
    try {
      return catalogue(await parser.parse(octets), Number.POSITIVE_INFINITY)
    } finally {
      await octets.discard()
    }
  } catch (error) {
    if (error instanceof IngestError && error.code === 'ARCHIVE_CONFLICT') return undefined
    throw error
  }
}
