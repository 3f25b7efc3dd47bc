import { randomUUID } from 'node:crypto'
import { portOf } from './contract/config.ts'
import type { DrainId } from './contract/ids.ts'
import { acknowledge, keepReceipt, type Receipt } from './drain/acknowledge.ts'
import { fetchMessages } from './drain/fetch.ts'
import type { MessageContext } from './drain/message.ts'
import { noticeReset } from './drain/notices.ts'
import { announcePending } from './drain/pending.ts'
import type { DrainOptions, DrainPorts, DrainSettings } from './drain/ports.ts'
import { count, type DrainProgress, type DrainReport } from './drain/report.ts'
import { openRoom, type Room } from './drain/room.ts'
import { type Outcome, SegmentWriter } from './drain/segment-writer.ts'
import { rulesDigest, select } from './drain/selection.ts'
import { Tally } from './drain/tally.ts'
import type { Work } from './drain/work.ts'
import { IngestError } from './errors.ts'
import { SECRET_REFUSED } from './failed-log-ins.ts'
import { searchDigest } from './ledger/fold.ts'
import { dayOf, idList } from './ledger/id-days.ts'
import { type Ledger, openLedger, type SeenFolders } from './ledger/ledger.ts'
import { DRAIN, MAILBOX_DEFAULTS } from './limits.ts'
import { isSessionId, type MailboxSession, type ServerId } from './mailbox/mailbox.ts'
import { openAnnouncer } from './queue/announcer.ts'

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

class Drain {
  readonly #settings: DrainSettings
  readonly #ports: DrainPorts
  readonly #options: DrainOptions
  readonly #id: DrainId
  readonly #now: () => Date
  readonly #tally = new Tally()
  readonly #room: Room
  readonly #seen: Record<string, SeenFolders[string]> = {}
  /** By folder: messages without lasting id that this drain archived, or knew by their octets. */
  readonly #recognised = new Map<string, Set<ServerId>>()
  #session: MailboxSession | undefined

  constructor(settings: DrainSettings, ports: DrainPorts, options: DrainOptions) {
    this.#settings = settings
    this.#ports = ports
    this.#options = options
    this.#room = ports.room ?? openRoom()
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
      await this.#tally.expected(async () => {
        const [ledger] = await Promise.all([
          openLedger(this.#settings.mailbox.id, this.#ports),
          this.#ports.archive.check(),
        ])
        await this.#drainInto(ledger, opening)
      })
    } finally {
      await opening.then((session) => session.abort()).catch(() => undefined)
    }
    const { counts, listed, octets, remaining, stopped, error, warnings, failures } = this.#tally
    return {
      mailbox: this.#settings.mailbox.id,
      drain: this.#id,
      elapsedMs: Math.round(performance.now() - startedMs),
      server: this.#session?.server,
      listed,
      counts,
      octets,
      remaining,
      stopped,
      error,
      warnings,
      failures,
    }
  }

  async #drainInto(ledger: Ledger, opening: Promise<MailboxSession>): Promise<void> {
    const tally = this.#tally
    const writer = this.#openWriter(ledger)
    const context = this.#openContext(ledger)
    try {
      await tally.expected(async () => {
        if (!this.#options.dryRun)
          await announcePending(writer, context, this.#ports.spool, () => tally.error !== undefined)
        let session = await opening
        while (!(await this.#drainSession(session, writer, context)))
          session = await this.#ports.openMailbox()
      })
      // After a failure too: what is archived by now need not be fetched again.
      await tally.expected(() => writer.flush())
    } finally {
      writer.abandon()
    }
    if (this.#options.dryRun || tally.error?.code === 'LEDGER_RACE_LOST') return
    await ledger.saveSnapshot({ ...ledger.seen, ...this.#seen }).catch((error: unknown) => {
      tally.warn('the snapshot was not saved, so the next drain reads more of the ledger', error)
    })
  }

  /** False when the session ran out before its end: what it brought is recorded, and another one goes on from there. */
  async #drainSession(
    session: MailboxSession,
    writer: SegmentWriter,
    context: MessageContext,
  ): Promise<boolean> {
    this.#session = session
    this.#tally.arrived = 0
    writer.servedBy(this.#ledgerServer(session))
    try {
      await this.#drainFolders(this.#work(session, writer, context))
      return true
    } catch (error) {
      // A dry run records nothing, and would begin anew for ever.
      if (this.#options.dryRun || this.#tally.error || !this.#ranOut(error)) throw error
      await writer.flush()
      this.#recognised.clear()
      // The next one lists everything again.
      this.#tally.listed = 0
      this.#tally.remaining = 0
      return false
    } finally {
      session.abort()
    }
  }

  async #drainFolders(work: Work): Promise<void> {
    const { session } = work
    const receipts: Receipt[] = []
    for (const folder of await session.folders()) {
      if (!work.mayGoOn()) break
      receipts.push(...(await this.#drainFolder(folder, work)))
    }
    const signedOut = session.close()
    // The work is done; a server that forgets to say goodbye undoes nothing.
    if (session.acknowledgedBy === 'acknowledge')
      await signedOut.catch((error: unknown) => this.#tally.warn('sign-out', error))
    // Where nothing becomes true by the answer, what was fetched is announced meanwhile.
    else await Promise.all([signedOut, receipts.length === 0 && work.writer.flush()])
    for (const receipt of receipts) keepReceipt(receipt, work)
  }

  async #drainFolder(folder: string, work: Work): Promise<readonly Receipt[]> {
    const { session, writer, context, tally, maxOctets } = work
    const { dryRun } = this.#options
    work.progress('listing', folder, 0, 0)
    const listing = await session.list(folder, context.ledger.seen[folder]?.uidNext)
    tally.listed += listing.ids.length
    const { epoch } = listing
    if (!dryRun) await noticeReset(listing, work)
    const { search } = this.#settings.mailbox
    const digest = search && searchDigest(search)
    const todo = select(listing, context.ledger.fold.folder(folder, epoch), { search: digest, maxOctets })
    if (!dryRun) {
      if (todo.vanished.length > 0)
        writer.add({ type: 'vanished', folder, epoch, ids: idList(todo.vanished) })
      if (todo.filtered.length > 0 && digest)
        writer.add({ type: 'filtered', folder, epoch, search: digest, ids: idList(todo.filtered) })
    }

    const total = todo.fresh.length + todo.again.length
    tally.remaining += total
    if (total > 0 && !dryRun) this.#prepare()
    work.progress('fetching', folder, 0, total)
    let done = 0
    const arrived = (): void => {
      done++
      tally.arrived++
      tally.remaining--
      work.progress('fetching', folder, done, total)
    }
    for (const ids of [todo.fresh, todo.again])
      if (ids.length > 0) await fetchMessages(listing, ids, work, arrived)

    if (dryRun) return []
    const receipts = await acknowledge(listing, work)
    if (done === total && listing.uidNext !== undefined)
      this.#seen[folder] = {
        epoch,
        uidNext: listing.uidNext,
        day: dayOf(this.#now()),
        rules: rulesDigest(this.#settings.mailbox),
      }
    return receipts
  }

  /** While the server makes ready the first message: a thread takes a tenth of a second to start, and the queues of one machine a fifth. */
  #prepare(): void {
    this.#ports.parser.prepare?.()
    if (!this.#options.silent) this.#ports.queues.prepare?.()
  }

  #work(session: MailboxSession, writer: SegmentWriter, context: MessageContext): Work {
    return {
      session,
      writer,
      context,
      ports: this.#ports,
      options: this.#options,
      tally: this.#tally,
      room: this.#room,
      recognised: this.#recognised,
      maxOctets: this.#settings.mailbox.limits.messageOctets ?? MAILBOX_DEFAULTS.messageOctets,
      mayGoOn: () => this.#mayGoOn(writer, context.ledger),
      progress: (phase, folder, done, total) => this.#progress(phase, folder, done, total),
    }
  }

  #mayGoOn(writer: SegmentWriter, { fold }: Ledger): boolean {
    const { deadline, signal } = this.#options
    const tally = this.#tally
    if (fold.pending.size >= DRAIN.pendingMost)
      tally.fail(
        new IngestError(
          'QUEUE_UNAVAILABLE',
          `${this.#settings.mailbox.id}: ${fold.pending.size} archived messages wait for their announcement; nothing more is fetched before`,
        ),
      )
    if (tally.error || writer.failure) return false
    if (signal?.aborted) tally.stopped = 'asked'
    else if (deadline.remainingMs() <= DRAIN.closingMs) tally.stopped = 'deadline'
    else if (this.#budgetSpent(writer)) tally.stopped = 'daily-budget'
    return tally.stopped === undefined
  }

  /**
   * Whether the session ended because what it was entered with has run out, or was taken back: nothing is wrong with the mailbox then. One that
   * brought nothing is not followed by another: a server that takes every log-in and refuses all that follows has refused the log-in.
   */
  #ranOut(error: unknown): boolean {
    if (this.#tally.arrived === 0 || !(error instanceof IngestError)) return false
    return error.code === 'SESSION_EXPIRED' || SECRET_REFUSED.has(error.code)
  }

  #budgetSpent(writer: SegmentWriter): boolean {
    const { octetsPerDay } = this.#settings.mailbox.limits
    return octetsPerDay !== undefined && writer.octetsFetchedOn(dayOf(this.#now())) >= octetsPerDay
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
    if (recorded) this.#tally.counts.segments++
    for (const { entry } of outcomes) {
      count(this.#tally.counts, entry)
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
      queueFailed: (error) => this.#tally.fail(error),
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

  #progress(phase: DrainProgress['phase'], folder: string | undefined, done: number, total: number): void {
    const { mailbox } = this.#settings
    this.#options.progress?.({ mailbox: mailbox.id, phase, folder, done, total, octets: this.#tally.octets })
  }
}
