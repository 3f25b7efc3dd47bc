import type { Uid } from '../contract/ids.ts'
import type { Octets } from '../octets.ts'
import type { ImapConnection } from './imap-connection.ts'
import { failed, tooLarge } from './imap-failures.ts'
import type { Known } from './imap-known.ts'
import type { Answer } from './imap-pipeline.ts'
import { rowMetadata, sizeIn } from './imap-row.ts'
import type { Fetched, FetchOptions } from './mailbox.ts'

// Whether what a server sends for a message can be believed.

/** After so many wrong sizes that held no truncation, the server counts wrong (Exchange), and asking twice would double the traffic. */
const WRONG_SIZES_TO_BELIEVE = 16

/** Why a message has to be asked for again. `said`: the server's refusal; `first`: the octets that did not fit their announcement. */
export interface Doubt {
  readonly said: string
  readonly first?: { readonly length: number; readonly sha256: string }
}

/** Undefined when the message has to be asked for again. */
export async function judged(
  connection: ImapConnection,
  known: Known,
  { row, body }: Extract<Answer, { kind: 'message' }>,
  { maxOctets }: FetchOptions,
  again: Map<Uid, Doubt>,
  before: ReadonlyMap<Uid, Doubt> | undefined,
): Promise<Fetched | undefined> {
  const id = row.uid
  const announced = sizeIn(row)
  if (body === null || ('length' in body && body.length === 0 && announced !== 0)) {
    again.set(id, { said: 'the server answers with no octets (NIL)' })
    return undefined
  }
  if ('tooLarge' in body) return failed(id, tooLarge(connection, id, body.tooLarge, maxOctets), announced)
  const doubt = doubtOf(body, announced, known, before?.get(id))
  if (doubt) {
    await body.discard()
    again.set(id, doubt)
    return undefined
  }
  return {
    id,
    octets: body,
    metadata: rowMetadata(row, connection.client),
    announcedOctets: body.length === announced ? undefined : announced,
  }
}

/**
 * Undefined when the octets can be believed: they fit the announcement, or came twice alike. RFC822.SIZE is wrong on Exchange
 * and others, so a mismatch is doubted, not refused.
 */
function doubtOf(
  octets: Octets,
  announced: number | undefined,
  known: Known,
  before: Doubt | undefined,
): Doubt | undefined {
  if (octets.length === announced) return undefined
  if (known.wrongSizes >= WRONG_SIZES_TO_BELIEVE) return undefined
  if (before?.first?.sha256 === octets.sha256) {
    known.wrongSizes++
    return undefined
  }
  return {
    said: `the server announces ${announced} octets and sends ${octets.length}${before?.first ? `, before ${before.first.length}` : ''}`,
    first: { length: octets.length, sha256: octets.sha256 },
  }
}
