import type { Uid } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { ImapConnection } from './imap-connection.ts'
import { downloadMessage } from './imap-download.ts'
import { failed, failureOf, gone, tooLarge, unfetchable } from './imap-failures.ts'
import { type Doubt, judged } from './imap-judge.ts'
import { type Known, learnSizes, sizeOf } from './imap-known.ts'
import { type Batch, FetchPipeline } from './imap-pipeline.ts'
import { fetchRows, isRefused } from './imap-rows.ts'
import type { Fetched, FetchOptions } from './mailbox.ts'
import { uidRuns } from './uid-set.ts'

// Fetching messages of the selected folder: sizes for a large window in one command, then messages in batches bounded by count
// and octets, the next ones asked for before the first is there. What the server answers oddly is asked again, and a message
// that it refuses is found by halving the batch, so that it delays only itself. Large messages come after the others.

/** One broken message in a batch of 500 costs ten refusals; far more of them mean that the server refuses everything. */
const MAX_REFUSALS = 100

/** One FETCH to be made. */
type Request = Pick<Batch, 'uids' | 'octets'>

/** `uids` ascending; the folder is selected. */
export async function* fetchMessages(
  connection: ImapConnection,
  known: Known,
  uids: readonly Uid[],
  options: FetchOptions,
): AsyncGenerator<Fetched> {
  for (let at = 0; at < uids.length; ) {
    if (!known.sizes.has(uids[at] as Uid)) {
      if (!options.keepGoing()) return
      await learnSizes(connection, known, uids.slice(at))
    }
    const small: Uid[] = []
    const large: Uid[] = []
    for (; at < uids.length; at++) {
      const id = uids[at] as Uid
      const size = known.sizes.get(id)
      if (size === undefined) break
      if (size > options.maxOctets) yield failed(id, tooLarge(connection, id, size, options.maxOctets), size)
      else if (size > connection.limits.wholeMessageOctets) large.push(id)
      else small.push(id)
    }
    if (yield* fetchSmall(connection, known, small, options)) return
    for (const id of large) {
      // One request in the eyes of keepGoing: a message that takes longer than a drain's slice would else never be fetched.
      if (!options.keepGoing()) return
      // To the disk as it comes, in one round trip.
      const doubted = new Map<Uid, Doubt>()
      yield* askOnce(connection, known, [id], options, doubted, undefined)
      const doubt = doubted.get(id)
      if (doubt) yield* downloadMessage(connection, id, sizeOf(known.sizes, id), options, doubt.first)
    }
  }
}

/** Returns whether it was stopped. */
async function* fetchSmall(
  connection: ImapConnection,
  known: Known,
  uids: readonly Uid[],
  options: FetchOptions,
): AsyncGenerator<Fetched, boolean> {
  let at = 0
  let stopped = false
  while (at < uids.length && !stopped) {
    const again = new Map<Uid, Doubt>()
    const next = (): Request | undefined => {
      // What is doubted is asked again before anything new, for it tells how far the server can be believed.
      if (at >= uids.length || again.size > 0 || stopped) return undefined
      stopped = !options.keepGoing()
      if (stopped) return undefined
      const request = nextRequest(connection, known, uids, at)
      at += request.uids.length
      return request
    }
    yield* ask(connection, known, next, options, again)
    if (again.size > 0) yield* askAgain(connection, known, again, options)
  }
  return stopped
}

function nextRequest(connection: ImapConnection, known: Known, uids: readonly Uid[], at: number): Request {
  const { batchMessages, windowBatches, uidSetCharacters } = connection.limits
  const most = windowOf(connection, known) / windowBatches
  const batch: Uid[] = []
  let octets = 0
  for (let next = at; next < uids.length && batch.length < batchMessages; next++) {
    const id = uids[next] as Uid
    const size = sizeOf(known.sizes, id)
    if (batch.length > 0 && octets + size > most) break
    batch.push(id)
    octets += size
  }
  const [run = []] = uidRuns(batch, uidSetCharacters)
  return requestFor(known, run)
}

function requestFor({ sizes }: Known, uids: readonly Uid[]): Request {
  return { uids, octets: uids.reduce((sum, id) => sum + sizeOf(sizes, id), 0) }
}

function windowOf({ limits }: ImapConnection, { windowOctets }: Known): number {
  return Math.min(Math.max(windowOctets, limits.windowOctets), limits.windowOctetsMost)
}

async function* askAgain(
  connection: ImapConnection,
  known: Known,
  again: ReadonlyMap<Uid, Doubt>,
  options: FetchOptions,
): AsyncGenerator<Fetched> {
  const still = new Map<Uid, Doubt>()
  yield* askOnce(connection, known, ascending(again.keys()), options, still, again)
  if (still.size === 0) return

  const there = await stillThere(connection, ascending(still.keys()))
  for (const [id, { said }] of still)
    yield failed(
      id,
      there.has(id) ? unfetchable(connection, id, said) : gone(connection, id),
      known.sizes.get(id) || undefined,
    )
}

function askOnce(
  connection: ImapConnection,
  known: Known,
  uids: readonly Uid[],
  options: FetchOptions,
  again: Map<Uid, Doubt>,
  before: ReadonlyMap<Uid, Doubt> | undefined,
): AsyncGenerator<Fetched> {
  const runs = uidRuns(uids, connection.limits.uidSetCharacters)
  const next = (): Request | undefined => {
    const run = runs.shift()
    return run && requestFor(known, run)
  }
  return ask(connection, known, next, options, again, before)
}

/**
 * Makes the FETCHes that `next` gives, several at a time, and yields what is answered well; the rest is put into `again`.
 * `before` has the first answers when this is the second time.
 */
async function* ask(
  connection: ImapConnection,
  known: Known,
  next: () => Request | undefined,
  options: FetchOptions,
  again: Map<Uid, Doubt>,
  before?: ReadonlyMap<Uid, Doubt>,
): AsyncGenerator<Fetched> {
  const { windowMs } = connection.limits
  const windowBatches = known.oneAtATime ? 1 : connection.limits.windowBatches
  const refused: { readonly batch: Batch; readonly error: IngestError }[] = []
  let request = next()
  if (!request) return
  const pipeline = await FetchPipeline.open(connection, options.maxOctets)
  try {
    let began = performance.now()
    while (true) {
      const requests: Request[] = []
      for (let octets = pipeline.octetsInFlight; request; request = next()) {
        requests.push(request)
        octets += request.octets
        const full = octets >= windowOf(connection, known)
        if (full || pipeline.batchesInFlight + requests.length >= windowBatches) {
          request = undefined
          break
        }
      }
      pipeline.send(requests)
      if (pipeline.batchesInFlight === 0) break
      const answer = await pipeline.next(options)
      if (answer.kind === 'message') {
        const fetched = await judged(connection, known, answer, options, again, before)
        if (fetched) yield fetched
        continue
      }
      const { batch, refused: error } = answer
      if (error) {
        if (++known.refusals > MAX_REFUSALS)
          throw new IngestError('SERVER_UNAVAILABLE', error.message, { cause: error })
        refused.push({ batch, error })
      } else for (const id of batch.open) again.set(id, { said: 'the server does not answer for it' })
      // The receiver's time counts: what it takes a minute over is too much, however fast the server is.
      const now = performance.now()
      known.windowOctets = (batch.octets / Math.max(1, now - began)) * windowMs
      began = now
      if (refused.length === 0) request = next()
    }
  } catch (error) {
    const { first } = pipeline
    const failure = first === undefined ? undefined : failureOf(connection, first, error)
    if (first !== undefined && failure) yield failed(first, failure, known.sizes.get(first) || undefined)
    throw error
  } finally {
    pipeline.close()
  }
  for (const { batch, error } of refused)
    yield* askRefused(connection, known, batch, error, options, again, before)
}

/** What a refused FETCH left open: as it was when it was sent behind others, which a server may not like, else by halves. */
async function* askRefused(
  connection: ImapConnection,
  known: Known,
  batch: Batch,
  error: IngestError,
  options: FetchOptions,
  again: Map<Uid, Doubt>,
  before: ReadonlyMap<Uid, Doubt> | undefined,
): AsyncGenerator<Fetched> {
  const open = [...batch.open]
  if (!batch.alone && open.length === batch.uids.length) {
    const { refusals } = known
    yield* askOnce(connection, known, open, options, again, before)
    known.oneAtATime ||= known.refusals === refusals
    return
  }
  const middle = Math.ceil(open.length / 2)
  if (open.length === 1) again.set(open[0] as Uid, { said: error.message })
  if (open.length <= 1) return
  for (const half of [open.slice(0, middle), open.slice(middle)])
    yield* askOnce(connection, known, half, options, again, before)
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

function ascending(uids: Iterable<Uid>): Uid[] {
  return [...uids].sort((a, b) => a - b)
}
