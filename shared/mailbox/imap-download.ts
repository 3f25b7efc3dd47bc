import type { Uid } from '../contract/ids.ts'
import type { Octets } from '../octets.ts'
import type { ImapConnection } from './imap-connection.ts'
import { failureOf, gone, tooLarge, unfetchable } from './imap-failures.ts'
import type { Doubt } from './imap-judge.ts'
import { METADATA_QUERY, metadataOf } from './imap-row.ts'
import { fetchRows, isRefused } from './imap-rows.ts'
import type { Fetched, FetchOptions, ServerMetadata } from './mailbox.ts'

// A large message that did not come well in one piece, by partial FETCHes to the spool. Partial FETCH is a weak spot of servers (windows ignored, short or empty
// last chunks), and imapflow's own download() takes a short chunk for the end. Here the end is where the server has answered
// with nothing, or with exactly what it announced.

/**
 * Yields the message or why not; throws what concerns the session. When the length does not fit, it is fetched in another way and two have to agree;
 * `first` is what came before.
 */
export async function* downloadMessage(
  connection: ImapConnection,
  id: Uid,
  announced: number,
  options: FetchOptions,
  first: Doubt['first'],
): AsyncGenerator<Fetched> {
  const held: Octets[] = []
  try {
    const metadata = await metadataAlone(connection, id)
    if (metadata === undefined) throw gone(connection, id)
    const octets = await agreed(connection, id, announced, options, first, held)
    const announcedOctets = octets.length === announced ? undefined : announced
    held.splice(held.indexOf(octets), 1)
    yield { id, octets, metadata, announcedOctets }
  } catch (error) {
    const failure = failureOf(connection, id, error)
    if (failure) yield { id, octets: undefined, error: failure, announcedOctets: announced }
    if (failure !== error) throw error
  } finally {
    for (const octets of held) await octets.discard()
  }
}

/** The octets that fit the announcement, or came alike in two ways. Everything spooled is in `held`. */
async function agreed(
  connection: ImapConnection,
  id: Uid,
  announced: number,
  { spool, maxOctets }: FetchOptions,
  first: Doubt['first'],
  held: Octets[],
): Promise<Octets> {
  const whole = announced <= connection.limits.literalOctets
  const lengths: (number | string)[] = first ? [first.length] : []
  for (const source of [inChunks, whole ? atOnce : inChunks]) {
    try {
      const octets = await spool.collect(source(connection, id, announced, maxOctets), 0)
      const alike = [first, ...held].some((other) => other?.sha256 === octets.sha256)
      held.push(octets)
      if (octets.length === announced || alike) return octets
      lengths.push(octets.length)
    } catch (error) {
      if (!isRefused(error)) throw error
      lengths.push(error.message)
    }
  }
  throw unfetchable(
    connection,
    id,
    `the server announces ${announced} octets and sends ${lengths.join(', then ')}`,
  )
}

async function metadataAlone(connection: ImapConnection, id: Uid): Promise<ServerMetadata | undefined> {
  let metadata: ServerMetadata | undefined
  for await (const row of fetchRows(connection, [id], METADATA_QUERY, 0))
    metadata = metadataOf(row, connection.client)
  return metadata
}

async function* inChunks(
  connection: ImapConnection,
  id: Uid,
  announced: number,
  maxOctets: number,
): AsyncGenerator<Buffer> {
  const { chunkOctets } = connection.limits
  for (let offset = 0; ; ) {
    const chunk = await fetchSource(connection, id, { start: offset, maxLength: chunkOctets }, chunkOctets)
    // More than asked for: the server ignores the window and has sent the whole message.
    const whole = chunk.length > chunkOctets
    if (whole && offset > 0)
      throw unfetchable(connection, id, 'the server ignores the window of a partial FETCH')
    offset += chunk.length
    if (offset > maxOctets) throw tooLarge(connection, id, offset, maxOctets)
    if (chunk.length > 0) yield chunk
    // A full chunk at the announced end may hide more, and a short one before it may hide the rest: nothing is the end.
    if (whole || chunk.length === 0 || (offset === announced && chunk.length < chunkOctets)) return
  }
}

async function* atOnce(
  connection: ImapConnection,
  id: Uid,
  announced: number,
  maxOctets: number,
): AsyncGenerator<Buffer> {
  const source = await fetchSource(connection, id, true, announced)
  if (source.length > maxOctets) throw tooLarge(connection, id, source.length, maxOctets)
  yield source
}

/** Empty for NIL; rejects with MESSAGE_UNFETCHABLE when the server refuses, and does not answer twice. */
async function fetchSource(
  connection: ImapConnection,
  id: Uid,
  source: true | { start: number; maxLength: number },
  octets: number,
): Promise<Buffer> {
  for (let attempt = 0; attempt < 2; attempt++) {
    let octetsOrNil: Buffer | undefined
    try {
      for await (const row of fetchRows(connection, [id], { uid: true, source }, octets))
        octetsOrNil = row.source || Buffer.alloc(0)
    } catch (error) {
      if (attempt === 1 || !isRefused(error)) throw error
    }
    if (octetsOrNil !== undefined) return octetsOrNil
  }
  throw unfetchable(connection, id, 'the server does not answer for it')
}
