import type { Uid } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { memoryOctets, type Octets } from '../octets.ts'
import type { ImapConnection } from './imap-connection.ts'
import { downloadMessage } from './imap-download.ts'
import { failureOf, gone, tooLarge, unfetchable } from './imap-failures.ts'
import { METADATA_QUERY, metadataOf } from './imap-row.ts'
import { fetchRows, isRefused } from './imap-rows.ts'
import type { Fetched, FetchOptions, ServerMetadata } from './mailbox.ts'
import { uidRuns } from './uid-set.ts'

// Fetching messages of the selected folder: sizes for a large window in one command, then messages in batches bounded by count
// and octets, one command each; imapflow sends one command at a time. What the server answers oddly is asked again, and a
// message that it refuses is found by halving the batch, so that it delays only itself.

/** What is known of a listed folder; lives as long as its listing. */
export interface Known {
  readonly listed: readonly Uid[]
  /** RFC822.SIZE as announced; 0 for a UID that the server did not answer for. */
  readonly sizes: Map<Uid, number>
  /** Messages whose octets did not fit RFC822.SIZE but came twice alike. */
  wrongSizes: number
  /** FETCHes that were refused. */
  refusals: number
  /** What the next batch may ask for. */
  batchOctets: number
}

export function knowing(listed: readonly Uid[]): Known {
  return { listed, sizes: new Map(), wrongSizes: 0, refusals: 0, batchOctets: 0 }
}

/** After so many wrong sizes that held no truncation, the server counts wrong (Exchange), and asking twice would double the traffic. */
const WRONG_SIZES_TO_BELIEVE = 16

/** One broken message in a batch of 500 costs ten refusals; far more of them mean that the server refuses everything. */
const MAX_REFUSALS = 100

/** What a FETCH told about a message. */
interface Answer {
  readonly octets: Octets
  readonly metadata: ServerMetadata
  readonly announced: number | undefined
}

/** Why a message has to be asked for again. `said`: the server's refusal; `first`: the octets that did not fit their announcement. */
interface Doubt {
  readonly said: string
  readonly first?: { readonly length: number; readonly sha256: string }
}

/** `uids` ascending; the folder is selected. */
export async function* fetchMessages(
  connection: ImapConnection,
  known: Known,
  uids: readonly Uid[],
  options: FetchOptions,
): AsyncGenerator<Fetched> {
  const { limits } = connection
  for (let at = 0; at < uids.length; ) {
    if (!known.sizes.has(uids[at] as Uid)) {
      if (!options.keepGoing()) return
      await learnSizes(connection, known, uids.slice(at))
    }
    const id = uids[at] as Uid
    const size = sizeOf(known.sizes, id)
    if (size > options.maxOctets) {
      yield failed(id, tooLarge(connection, id, size, options.maxOctets), size)
      at++
      continue
    }
    if (!options.keepGoing()) return
    if (size > limits.wholeMessageOctets) {
      // One request in the eyes of keepGoing: a message that takes longer than a drain's slice would else never be fetched.
      yield* downloadMessage(connection, id, size, options)
      at++
      continue
    }
    const { batch, octets } = nextBatch(connection, known, uids, at, options)
    const began = performance.now()
    yield* fetchBatch(connection, known, batch, options)
    // The receiver's time counts: a batch that it takes a minute over is too large, however fast the server is.
    const carried = (octets / Math.max(1, performance.now() - began)) * limits.batchMs
    known.batchOctets = Math.min(Math.max(carried, limits.batchOctets), limits.batchOctetsMost)
    at += batch.length
  }
}

/** UID and RFC822.SIZE of these UIDs and of those that follow in the folder. A UID without an answer gets size 0 and is asked for all the same. */
async function learnSizes(
  connection: ImapConnection,
  { sizes, listed }: Known,
  uids: readonly Uid[],
): Promise<void> {
  const { sizeWindowMessages, uidSetCharacters } = connection.limits
  const unknown = new Set<Uid>()
  const add = (candidates: readonly Uid[]): void => {
    for (const uid of candidates) if (unknown.size < sizeWindowMessages && !sizes.has(uid)) unknown.add(uid)
  }
  add(uids)
  add(listed.slice(firstAbove(listed, uids.at(-1) as Uid)))
  const window = [...unknown].sort((a, b) => a - b)
  for (const run of uidRuns(window, uidSetCharacters)) {
    try {
      for await (const row of fetchRows(connection, run, { uid: true, size: true }, 0))
        sizes.set(row.uid, row.size ?? 0)
    } catch (error) {
      if (!isRefused(error)) throw error
    }
    for (const uid of run) if (!sizes.has(uid)) sizes.set(uid, 0)
    // The first run serves the messages that are wanted now; the rest is asked for when they are.
    if (sizes.has(uids[0] as Uid)) break
  }
}

function nextBatch(
  connection: ImapConnection,
  known: Known,
  uids: readonly Uid[],
  at: number,
  options: FetchOptions,
): { readonly batch: readonly Uid[]; readonly octets: number } {
  const { batchMessages, batchOctets, wholeMessageOctets } = connection.limits
  const most = Math.max(known.batchOctets, batchOctets)
  const batch: Uid[] = []
  let octets = 0
  for (let next = at; next < uids.length && batch.length < batchMessages; next++) {
    const id = uids[next] as Uid
    const size = known.sizes.get(id)
    if (size === undefined || size > wholeMessageOctets || size > options.maxOctets) break
    if (batch.length > 0 && octets + size > most) break
    batch.push(id)
    octets += size
  }
  return { batch, octets }
}

async function* fetchBatch(
  connection: ImapConnection,
  known: Known,
  batch: readonly Uid[],
  options: FetchOptions,
): AsyncGenerator<Fetched> {
  const again = new Map<Uid, Doubt>()
  yield* ask(connection, known, batch, options, again)
  if (again.size === 0) return

  const asked = [...again.keys()].sort((a, b) => a - b)
  const still = new Map<Uid, Doubt>()
  yield* ask(connection, known, asked, options, still, again)
  if (still.size === 0) return

  const there = await stillThere(
    connection,
    [...still.keys()].sort((a, b) => a - b),
  )
  for (const [id, { said }] of still)
    yield failed(
      id,
      there.has(id) ? unfetchable(connection, id, said) : gone(connection, id),
      known.sizes.get(id) || undefined,
    )
}

/** Yields what is answered well; the rest is put into `again`. `before` has the first answers when this is the second time. */
async function* ask(
  connection: ImapConnection,
  known: Known,
  uids: readonly Uid[],
  options: FetchOptions,
  again: Map<Uid, Doubt>,
  before?: ReadonlyMap<Uid, Doubt>,
): AsyncGenerator<Fetched> {
  const gmail = !connection.supports('OBJECTID') && connection.supports('X-GM-EXT-1')
  const open = new Set(uids)
  const octets = uids.reduce((sum, id) => sum + sizeOf(known.sizes, id), 0)
  try {
    for (const run of uidRuns(uids, connection.limits.uidSetCharacters)) {
      for await (const row of fetchRows(connection, run, { ...METADATA_QUERY, source: true }, octets)) {
        open.delete(row.uid)
        const announced = row.size
        if (!Buffer.isBuffer(row.source) || (row.source.length === 0 && announced !== 0)) {
          again.set(row.uid, { said: 'the server answers with no octets (NIL)' })
          continue
        }
        if (row.source.length > options.maxOctets) {
          yield failed(
            row.uid,
            tooLarge(connection, row.uid, row.source.length, options.maxOctets),
            announced,
          )
          continue
        }
        const octets = await hold(connection, row.source, options)
        const answer = { octets, metadata: metadataOf(row, gmail), announced }
        const doubt = doubtOf(answer, known, before?.get(row.uid))
        if (doubt === undefined) {
          yield {
            id: row.uid,
            octets,
            metadata: answer.metadata,
            announcedOctets: octets.length === announced ? undefined : announced,
          }
        } else {
          await octets.discard()
          again.set(row.uid, doubt)
        }
      }
    }
  } catch (error) {
    if (isRefused(error)) {
      if (++known.refusals > MAX_REFUSALS)
        throw new IngestError('SERVER_UNAVAILABLE', error.message, { cause: error })
      yield* halve(connection, known, [...open], options, again, before, error)
      return
    }
    const [first] = open
    const failure = first === undefined ? undefined : failureOf(connection, first, error)
    if (first !== undefined && failure) yield failed(first, failure, known.sizes.get(first) || undefined)
    throw error
  }
  for (const id of open) again.set(id, { said: 'the server does not answer for it' })
}

async function* halve(
  connection: ImapConnection,
  known: Known,
  open: readonly Uid[],
  options: FetchOptions,
  again: Map<Uid, Doubt>,
  before: ReadonlyMap<Uid, Doubt> | undefined,
  refused: IngestError,
): AsyncGenerator<Fetched> {
  if (open.length <= 1) {
    for (const id of open) again.set(id, { said: refused.message })
    return
  }
  const middle = Math.ceil(open.length / 2)
  yield* ask(connection, known, open.slice(0, middle), options, again, before)
  yield* ask(connection, known, open.slice(middle), options, again, before)
}

/**
 * Undefined when the octets can be believed: they fit the announcement, or came twice alike. RFC822.SIZE is wrong on Exchange
 * and others, so a mismatch is doubted, not refused.
 */
function doubtOf({ octets, announced }: Answer, known: Known, before: Doubt | undefined): Doubt | undefined {
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

/** In memory as announced; a message that turns out large goes to the spool like any large one. */
async function hold(connection: ImapConnection, source: Buffer, { spool }: FetchOptions): Promise<Octets> {
  const { wholeMessageOctets } = connection.limits
  if (source.length <= wholeMessageOctets) return memoryOctets(source)
  async function* whole(): AsyncGenerator<Buffer> {
    yield source
  }
  return spool.collect(whole(), wholeMessageOctets)
}

async function stillThere(connection: ImapConnection, uids: readonly Uid[]): Promise<ReadonlySet<number>> {
  const there = new Set<number>()
  for (const run of uidRuns(uids, connection.limits.uidSetCharacters)) {
    try {
      for await (const row of fetchRows(connection, run, { uid: true, flags: true }, 0)) there.add(row.uid)
    } catch (error) {
      if (!isRefused(error)) throw error
      for (const id of run) there.add(id)
    }
  }
  return there
}

function sizeOf(sizes: Known['sizes'], id: Uid): number {
  return sizes.get(id) ?? 0
}

function firstAbove(ascending: readonly Uid[], value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) > value) high = middle
    else low = middle + 1
  }
  return low
}

function failed(id: Uid, error: IngestError, announcedOctets: number | undefined): Fetched {
  return { id, octets: undefined, error, announcedOctets }
}
