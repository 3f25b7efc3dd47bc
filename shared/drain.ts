import { randomUUID } from 'node:crypto'
import { encodeEvent, quarantinedEvent, resetEvent } from './announcement.ts'
import { portOf } from './contract/config.ts'
import type { Event } from './contract/event.ts'
import type { DrainId } from './contract/ids.ts'
import { dueFor, policyOf } from './drain/acknowledgement.ts'
import {
  duplicateOf,
  type FetchedMessage,
  ingest,
  type MessageContext,
  mailboxData,
  send,
} from './drain/message.ts'
import { announceAgain } from './drain/pending.ts'
import type { DrainOptions, DrainPorts, DrainSettings } from './drain/ports.ts'
import { type Lacking, removable } from './drain/removal.ts'
import {
  count,
  type DrainCounts,
  type DrainProgress,
  type DrainReport,
  type MessageFailure,
  noCounts,
  type Stop,
} from './drain/report.ts'
import { Room } from './drain/room.ts'
import { type Outcome, SegmentWriter } from './drain/segment-writer.ts'
import { rulesDigest, select } from './drain/selection.ts'
import { IngestError } from './errors.ts'
import { SECRET_REFUSED } from './failed-log-ins.ts'
import { searchDigest } from './ledger/fold.ts'
import { dayOf, idList } from './ledger/id-days.ts'
import { type Ledger, openLedger, type SeenFolders } from './ledger/ledger.ts'
import { REMOVAL_CHECKS, type UnsentEvent } from './ledger/segment.ts'
import { DRAIN, MAILBOX_DEFAULTS, QUEUE } from './limits.ts'
import {
  type Fetched,
  isSessionId,
  type Listing,
  type MailboxSession,
  type ServerId,
} from './mailbox/mailbox.ts'
import { openAnnouncer } from './queue/announcer.ts'
import { DEFAULT_QUEUE } from './routing.ts'

// The order of a drain, which is the product:
//
//   look       ledger to its end; the archive can keep its promises; sign in
//   pending    announce what an earlier drain could not
//   per folder list -> minus what the ledger has -> fetch, and beside it for each message: archive, parse
//              every 100 messages, as long as it takes the segment before: announce, and record a segment, the commit point
//              acknowledge what is recorded: intent (a segment), then the server, then the receipt
//   sign out   POP3 applies deletions now; receipts; snapshot
//
// A session that ends with its access token is followed by another one, which begins with the first folder again.
// Whatever dies in between leaves the ledger as it was after the last segment, and the next drain goes on from there.

/** Codes of a session's end that one message can cause: a server that crashes over it, or a literal that never comes. */
const BLAMED_ON_A_MESSAGE = new Set(['CONNECTION_LOST', 'TIMED_OUT', 'PROTOCOL_VIOLATION'])

/**
 * Drains one mailbox once. Never rejects with an IngestError: the report's `error` says why it ended early, and everything recorded before
 * counts. Any other rejection is a defect. A drain may be run again at any time, beside another one also: messages are announced
 * again at most after a crash, and then under the same event id.
 */
export async function drain(
  settings: DrainSettings,
  ports: DrainPorts,
  options: DrainOptions,
): Promise<DrainReport> {
  return new Drain(settings, ports, options).run()
}

const KEPT: Readonly<Record<Lacking, string>> = {
  announcement: 'they are not announced',
  object: 'the archive does not have them as recorded',
  checksum: 'the archive has other octets',
  lock: 'no lock of the archive keeps them any more',
  hold: 'a legal hold wants them kept',
}

/** What the steps of a drain share once it is signed in. */
interface Work {
  readonly session: MailboxSession
  readonly writer: SegmentWriter
  readonly context: MessageContext
}

class Drain {
  readonly #settings: DrainSettings
  readonly #ports: DrainPorts
  readonly #options: DrainOptions
  readonly #id: DrainId
  readonly #now: () => Date
  readonly #room = new Room(DRAIN.messagesInFlight, DRAIN.octetsInFlight)
  readonly #counts: DrainCounts = noCounts()
  readonly #warnings: string[] = []
  readonly #failures: MessageFailure[] = []
  readonly #seen: Record<string, SeenFolders[string]> = {}
  /** By folder: messages without lasting id that this drain archived, or knew by their octets. */
  readonly #recognised = new Map<string, Set<ServerId>>()
  #session: MailboxSession | undefined
  #listed = 0
  /** In this session. */
  #arrived = 0
  #octets = 0
  #remaining = 0
  #stopped: Stop | undefined
  #error: IngestError | undefined

  constructor(settings: DrainSettings, ports: DrainPorts, options: DrainOptions) {
    this.#settings = settings
    this.#ports = ports
    this.#options = options
    this.#id = options.drain ?? (randomUUID() as DrainId)
    this.#now = options.now ?? (() => new Date())
  }

  async run(): Promise<DrainReport> {
    const startedMs = performance.now()
    this.#progress('connecting', undefined, 0, 0)
    const opening = this.#ports.openMailbox()
    // Met below; whatever fails first must not leave it unhandled.
    opening.catch(() => undefined)
    try {
      await this.#expected(async () => {
        const [ledger] = await Promise.all([
          openLedger(this.#settings.mailbox.id, this.#ports),
          this.#ports.archive.check(),
        ])
        await this.#drainInto(ledger, opening)
      })
    } finally {
      await opening.then((session) => session.abort()).catch(() => undefined)
    }
    return {
      mailbox: this.#settings.mailbox.id,
      drain: this.#id,
      elapsedMs: Math.round(performance.now() - startedMs),
      server: this.#session?.server,
      listed: this.#listed,
      counts: this.#counts,
      octets: this.#octets,
      remaining: this.#remaining,
      stopped: this.#stopped,
      error: this.#error,
      warnings: this.#warnings,
      failures: this.#failures,
    }
  }

  async #drainInto(ledger: Ledger, opening: Promise<MailboxSession>): Promise<void> {
    const writer = this.#openWriter(ledger)
    const context = this.#openContext(ledger)
    try {
      await this.#expected(async () => {
        if (!this.#options.dryRun) await this.#announcePending(writer, context)
        let session = await opening
        while (!(await this.#drainSession({ session, writer, context })))
          session = await this.#ports.openMailbox()
      })
      // After a failure too: what is archived by now need not be fetched again.
      await this.#expected(() => writer.flush())
    } finally {
      writer.abandon()
    }
    if (this.#options.dryRun || this.#error?.code === 'LEDGER_RACE_LOST') return
    await ledger.saveSnapshot({ ...ledger.seen, ...this.#seen }).catch((error: unknown) => {
      this.#warn('the snapshot was not saved, so the next drain reads more of the ledger', error)
    })
  }

  /** False when the session ran out before its end: what it brought is recorded, and another one goes on from there. */
  async #drainSession(work: Work): Promise<boolean> {
    const { session, writer } = work
    this.#session = session
    this.#arrived = 0
    writer.servedBy(this.#ledgerServer(session))
    try {
      await this.#drainFolders(work)
      return true
    } catch (error) {
      // A dry run records nothing, and would begin anew for ever.
      if (this.#options.dryRun || this.#error || !this.#ranOut(error)) throw error
      await writer.flush()
      this.#recognised.clear()
      this.#listed = 0
      this.#remaining = 0
      return false
    } finally {
      session.abort()
    }
  }

  async #drainFolders(work: Work): Promise<void> {
    const { session, writer } = work
    const receipts: Receipt[] = []
    for (const folder of await session.folders()) {
      if (!this.#mayGoOn(work)) break
      receipts.push(...(await this.#drainFolder(folder, work)))
    }
    const signedOut = session.close()
    if (session.acknowledgedBy === 'close') await signedOut
    // The work is done; a server that forgets to say goodbye undoes nothing.
    else await signedOut.catch((error: unknown) => this.#warn('sign-out', error))
    for (const receipt of receipts) this.#receipt(receipt, writer)
  }

  async #drainFolder(folder: string, work: Work): Promise<Receipt[]> {
    const { session, writer, context } = work
    this.#progress('listing', folder, 0, 0)
    const listing = await session.list(folder)
    this.#listed += listing.ids.length
    const { epoch } = listing
    if (!this.#options.dryRun) await this.#noticeReset(listing, work)
    const { search } = this.#settings.mailbox
    const digest = search && searchDigest(search)
    const todo = select(listing, context.ledger.fold.folder(folder, epoch), {
      search: digest,
      maxOctets: this.#maxOctets,
    })
    if (!this.#options.dryRun) {
      if (todo.vanished.length > 0)
        writer.add({ type: 'vanished', folder, epoch, ids: idList(todo.vanished) })
      if (todo.filtered.length > 0 && digest)
        writer.add({ type: 'filtered', folder, epoch, search: digest, ids: idList(todo.filtered) })
    }

    const total = todo.fresh.length + todo.again.length
    this.#remaining += total
    this.#progress('fetching', folder, 0, total)
    let done = 0
    const arrived = (): void => {
      done++
      this.#arrived++
      this.#remaining--
      this.#progress('fetching', folder, done, total)
    }
    for (const ids of [todo.fresh, todo.again])
      if (ids.length > 0) await this.#fetch(listing, ids, work, arrived)

    if (this.#options.dryRun) return []
    const receipts = await this.#acknowledge(listing, work)
    if (done === total && listing.uidNext !== undefined)
      this.#seen[folder] = {
        epoch,
        uidNext: listing.uidNext,
        day: dayOf(this.#now()),
        rules: rulesDigest(this.#settings.mailbox),
      }
    return receipts
  }

  async #fetch(listing: Listing, ids: readonly ServerId[], work: Work, arrived: () => void): Promise<void> {
    const unanswered = new Set(ids)
    const options = {
      maxOctets: this.#maxOctets,
      spool: this.#ports.spool,
      keepGoing: () => this.#mayGoOn(work),
    }
    try {
      for await (const fetched of work.session.fetch(listing, ids, options)) {
        unanswered.delete(fetched.id)
        arrived()
        await this.#receive(listing, fetched, work)
        if (work.writer.failure) throw work.writer.failure.error
      }
    } catch (error) {
      const [suspect] = unanswered
      if (error instanceof IngestError && BLAMED_ON_A_MESSAGE.has(error.code) && suspect !== undefined)
        await this.#failed(listing, suspect, error, undefined, work)
      throw error
    }
  }

  async #receive(listing: Listing, fetched: Fetched, work: Work): Promise<void> {
    const { writer, context } = work
    await writer.cutIfDue()
    if (fetched.octets === undefined) {
      await this.#failed(listing, fetched.id, fetched.error, fetched.announcedOctets, work)
      return
    }
    const { octets } = fetched
    this.#octets += octets.length
    if (this.#options.dryRun) {
      await octets.discard()
      return
    }
    // What is spooled takes no memory.
    const octetsInMemory = octets.buffer ? octets.length : 0
    await this.#room.enter(octetsInMemory)
    const leaving = async <T>(work: Promise<T>): Promise<T> => {
      try {
        return await work
      } finally {
        this.#room.leave(octetsInMemory)
        await octets.discard()
      }
    }
    const message: FetchedMessage = { ...fetched, folder: listing.folder, epoch: listing.epoch }
    writer.run(
      octets.sha256,
      octets.length,
      (seq) => leaving(ingest(message, seq, context)),
      (first) => leaving(first.then(() => duplicateOf(message))),
    )
  }

  /** One message is given up, for now or until somebody acts; the mailbox goes on. */
  async #failed(
    { folder, epoch }: Listing,
    id: ServerId,
    error: IngestError,
    octets: number | undefined,
    { writer, context }: Work,
  ): Promise<void> {
    const { dryRun } = this.#options
    const place = { folder, epoch, id }
    if (error.code === 'MESSAGE_GONE') {
      if (!dryRun) writer.add({ type: 'gone', ...place })
      return
    }
    const attempts = (context.ledger.fold.folder(folder, epoch).failed.get(id)?.attempts ?? 0) + 1
    const trace = { code: error.code, reason: error.message, attempts }
    const tooLarge = error.code === 'MESSAGE_TOO_LARGE'
    const quarantined = tooLarge || attempts >= DRAIN.fetchAttempts
    if (this.#failures.length < DRAIN.failuresReported)
      this.#failures.push({ folder, id, ...trace, quarantined })
    if (dryRun) return
    if (!quarantined) {
      writer.add({ type: 'failed', ...place, ...trace })
      return
    }
    const { mailbox } = this.#settings
    const server = mailboxData(mailbox, place)
    const event = quarantinedEvent({ ...trace, mailbox: mailbox.id, time: this.#now(), server, octets })
    writer.add({
      type: 'quarantined',
      ...place,
      ...trace,
      ...(octets === undefined ? {} : { octets }),
      ...(tooLarge ? { limitOctets: this.#maxOctets } : {}),
      ...(await this.#announceOther(event, context)),
    })
  }

  async #noticeReset({ folder, epoch: to }: Listing, { writer, context }: Work): Promise<void> {
    const { mailbox } = this.#settings
    const from = context.ledger.fold.uidValidity(folder)
    if (mailbox.protocol !== 'imap' || from === undefined || from === to) return
    const event = resetEvent({ mailbox: mailbox.id, protocol: 'imap', folder, from, to, time: this.#now() })
    writer.add({ type: 'reset', folder, from, to, ...(await this.#announceOther(event, context)) })
    // The fold must know before the folder is looked at.
    await writer.flush()
  }

  /** Events about the mailbox go to the default queue. */
  async #announceOther(event: Event, context: MessageContext): Promise<{ unsent?: UnsentEvent }> {
    const queue = DEFAULT_QUEUE
    const body = encodeEvent(event)
    const { id } = event
    const refused = await send(queue, { id, group: this.#settings.mailbox.id, body }, context)
    return refused === undefined ? {} : { unsent: { id, queue, body, refused } }
  }

  async #announcePending(writer: SegmentWriter, context: MessageContext): Promise<void> {
    const pending = [...context.ledger.fold.pending.values()].slice(0, DRAIN.pendingPerDrain).values()
    const lane = async (): Promise<void> => {
      for (const event of pending) {
        if (this.#error) return
        for (const entry of await announceAgain(event, context, this.#ports.spool)) writer.add(entry)
      }
    }
    await Promise.all(Array.from({ length: QUEUE.batchMessages }, lane))
    await writer.flush()
  }

  /** Returns the receipts that wait for the end of the session. */
  async #acknowledge(listing: Listing, { session, writer, context }: Work): Promise<Receipt[]> {
    const { folder, epoch } = listing
    const policy = policyOf(this.#settings.mailbox.afterArchive)
    if (!policy) return []
    await writer.flush()
    const recognised = this.#recognised.get(folder) ?? new Set()
    const due = dueFor(policy, listing, context.ledger.fold, recognised, this.#now())
    if (due.length === 0) return []
    this.#progress('acknowledging', folder, 0, due.length)
    const { action, removes } = policy
    const outstanding = await session.outstanding(listing, due, action)
    const checked = policy.afterDays > 0
    const ids = checked ? await this.#safe(outstanding, listing, writer, context) : outstanding
    if (ids.length === 0) return []
    if (removes) {
      const checks = checked ? { checked: [...REMOVAL_CHECKS] } : {}
      writer.add({ type: 'acknowledge', folder, epoch, action, ids: idList(ids), ...checks })
      await writer.flush()
    }
    const effect = await session.acknowledge(listing, ids, action)
    const receipt: Receipt = { folder, epoch, action, effect, ids, recorded: removes }
    if (session.acknowledgedBy === 'close') return [receipt]
    this.#receipt(receipt, writer)
    return []
  }

  /** Those that the archive has safe by now; the others stay on the server, which is recorded. */
  async #safe(
    ids: readonly ServerId[],
    listing: Listing,
    writer: SegmentWriter,
    { ledger }: MessageContext,
  ): Promise<readonly ServerId[]> {
    if (ids.length === 0) return []
    const { safe, kept } = await removable(ids, listing, ledger, this.#ports, this.#now())
    const { folder, epoch } = listing
    for (const [lacks, each] of kept) {
      writer.add({ type: 'kept', folder, epoch, ids: idList(each), lacks })
      this.#warnings.push(`${folder}: ${each.length} messages are due for deletion and stay: ${KEPT[lacks]}`)
    }
    if (kept.size > 0) await writer.flush()
    return safe
  }

  #receipt({ folder, epoch, action, effect, ids, recorded }: Receipt, writer: SegmentWriter): void {
    this.#counts.acknowledged += ids.length
    if (recorded) writer.add({ type: 'acknowledged', folder, epoch, action, effect, ids: idList(ids) })
  }

  /** Asked before each request for more. */
  #mayGoOn({ writer, context }: Work): boolean {
    const { deadline, signal } = this.#options
    if (context.ledger.fold.pending.size >= DRAIN.pendingMost)
      this.#fail(
        new IngestError(
          'QUEUE_UNAVAILABLE',
          `${this.#settings.mailbox.id}: ${context.ledger.fold.pending.size} archived messages wait for their announcement; nothing more is fetched before`,
        ),
      )
    if (this.#error || writer.failure) return false
    if (signal?.aborted) this.#stopped = 'asked'
    else if (deadline.remainingMs() <= DRAIN.closingMs) this.#stopped = 'deadline'
    else if (this.#budgetSpent(writer)) this.#stopped = 'daily-budget'
    return this.#stopped === undefined
  }

  /**
   * Whether the session ended because what it was entered with has run out, or was taken back: nothing is wrong with the mailbox then. One that
   * brought nothing is not followed by another: a server that takes every log-in and refuses all that follows has refused the log-in.
   */
  #ranOut(error: unknown): boolean {
    if (this.#arrived === 0 || !(error instanceof IngestError)) return false
    return error.code === 'SESSION_EXPIRED' || SECRET_REFUSED.has(error.code)
  }

  #budgetSpent(writer: SegmentWriter): boolean {
    const { octetsPerDay } = this.#settings.mailbox.limits
    return octetsPerDay !== undefined && writer.octetsFetchedOn(dayOf(this.#now())) >= octetsPerDay
  }

  get #maxOctets(): number {
    return this.#settings.mailbox.limits.messageOctets ?? MAILBOX_DEFAULTS.messageOctets
  }

  #openWriter(ledger: Ledger): SegmentWriter {
    const { mailbox } = this.#settings
    return new SegmentWriter({
      ledger,
      drain: this.#id,
      afterArchive: mailbox.afterArchive,
      retention: mailbox.retention,
      segmentMessages: this.#options.segmentMessages ?? DRAIN.segmentMessages,
      segmentMessagesMost: this.#options.segmentMessages ?? DRAIN.segmentMessagesMost,
      now: this.#now,
      committed: (outcomes, recorded) => this.#committed(outcomes, recorded),
    })
  }

  #committed(outcomes: readonly Outcome[], recorded: boolean): void {
    if (recorded) this.#counts.segments++
    for (const { entry } of outcomes) {
      count(this.#counts, entry)
      if (entry.type !== 'message' || !isSessionId(entry.id as ServerId)) continue
      const ids = this.#recognised.get(entry.folder) ?? new Set()
      ids.add(entry.id as ServerId)
      this.#recognised.set(entry.folder, ids)
    }
  }

  #openContext(ledger: Ledger): MessageContext {
    const { mailbox, routes } = this.#settings
    return {
      mailbox,
      routes,
      drain: this.#id,
      ledger,
      archive: this.#ports.archive,
      derived: this.#ports.derived,
      parser: this.#ports.parser,
      announcer: openAnnouncer(this.#ports.queues),
      now: this.#now,
      silent: this.#options.silent ?? false,
      queueFailed: (error) => this.#fail(error),
    }
  }

  #ledgerServer(session: MailboxSession) {
    const { mailbox } = this.#settings
    const { host, tls, certificateSha256 } = session.server
    return {
      protocol: session.protocol,
      host,
      port: session.protocol === 'import' ? 0 : portOf(mailbox),
      user: mailbox.user,
      tls,
      ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
    }
  }

  /** Keeps the first expected error for the report; a defect passes through. */
  async #expected(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      this.#fail(error)
    }
  }

  #fail(error: IngestError): void {
    this.#error ??= error
  }

  /** Of an error that takes nothing back. */
  #warn(what: string, error: unknown): void {
    if (!(error instanceof IngestError)) throw error
    this.#warnings.push(`${what}: ${error.message}`)
  }

  #progress(phase: DrainProgress['phase'], folder: string | undefined, done: number, total: number): void {
    const { mailbox } = this.#settings
    this.#options.progress?.({ mailbox: mailbox.id, phase, folder, done, total, octets: this.#octets })
  }
}

interface Receipt {
  readonly folder: string
  readonly epoch: Listing['epoch']
  readonly action: Parameters<MailboxSession['acknowledge']>[2]
  readonly effect: string
  readonly ids: readonly ServerId[]
  /** Acknowledgements that can be undone are not in the ledger: the next drain looks at the server. */
  readonly recorded: boolean
}
