import { createHash } from 'node:crypto'
import { archivedEventId } from '../contract/event.ts'
import type { Epoch, MailboxId, Sha256 } from '../contract/ids.ts'
import { isSessionId, type Search, type ServerId } from '../mailbox/mailbox.ts'
import { dayOf, IdDays, type IdDaysJson, type IdList, readIdList } from './id-days.ts'
import type { Entry, MessageEntry, Segment, UnsentEvent } from './segment.ts'

export interface Failure {
  readonly attempts: number
  readonly code: string
}

export interface Quarantine {
  readonly code: string
  /** The size limit in force when it was too large. */
  readonly limitOctets?: number | undefined
  /** Somebody has decided that it is not archived. */
  readonly dismissed?: true | undefined
}

/** Where a message stands on the server. */
export interface Place {
  readonly folder: string
  readonly epoch: Epoch
  readonly id: ServerId
}

/** An event that has to be announced yet. */
export interface Pending {
  readonly event: string
  readonly queue: string
  /** The archived message that it is made from again; undefined when `body` is the event itself. */
  readonly message: MessageEntry | undefined
  readonly body: string | undefined
  /** Queues that took it while another one refused. */
  readonly taken: readonly string[]
  /** The messages that must not be acknowledged before. */
  readonly places: Place[]
}

/** What the ledger knows of one folder under one epoch. */
export interface FolderFold {
  /** Archived, or gone: not fetched again. */
  readonly known: IdDays
  readonly failed: Map<ServerId, Failure>
  readonly quarantined: Map<ServerId, Quarantine>
  /** Due for removal from the server, and kept there on that day (UTC). */
  kept: { readonly day: number; readonly ids: IdDays } | undefined
  /** Left out by the search with this digest. */
  filtered: { readonly search: string; readonly ids: IdDays } | undefined
}

const IMAP_EPOCH = /^\d+$/

/** What the segments of one mailbox say when they are read in order: the cursor. A snapshot of it is a cache. */
export class Fold {
  readonly #mailbox: MailboxId
  readonly #folders = new Map<string, Map<string, FolderFold>>()
  readonly #pending = new Map<string, Pending>()
  /** Messages whose object was written for another segment than the one that names it: which one does. */
  readonly #strays = new Map<Sha256, number>()
  /** Messages that are to be deleted from the archive, as far as no receipt says that they were. */
  readonly #deleting = new Set<string>()
  /** Messages that a law wanted to be forgotten. */
  readonly #forgotten = new Set<string>()
  /** Octets fetched on the latest day with any. */
  #fetched = { day: 0, octets: 0 }

  constructor(mailbox: MailboxId) {
    this.#mailbox = mailbox
  }

  /** Of a folder and epoch that no segment names: empty. */
  folder(folder: string, epoch: Epoch): FolderFold {
    return this.#folders.get(folder)?.get(epoch) ?? emptyFolder()
  }

  /** The UIDVALIDITY under which IMAP messages of the folder are known; undefined when there are none. */
  uidValidity(folder: string): Epoch | undefined {
    for (const epoch of this.#folders.get(folder)?.keys() ?? [])
      if (IMAP_EPOCH.test(epoch)) return epoch as Epoch
    return undefined
  }

  get pending(): ReadonlyMap<string, Pending> {
    return this.#pending
  }

  /** Messages that must not be acknowledged, for their announcement is pending. */
  pendingIds(folder: string, epoch: Epoch): ReadonlySet<ServerId> {
    const ids = new Set<ServerId>()
    for (const { places } of this.#pending.values())
      for (const place of places) if (place.folder === folder && place.epoch === epoch) ids.add(place.id)
    return ids
  }

  /** The segment that names a message whose object was written for another one. */
  strayOf(digest: Sha256): number | undefined {
    return this.#strays.get(digest)
  }

  isDeleting(digest: string): boolean {
    return this.#deleting.has(digest)
  }

  /** Deleted for good: a drain that meets these octets again does not archive them. */
  isForgotten(digest: string): boolean {
    return this.#forgotten.has(digest)
  }

  octetsFetchedOn(day: number): number {
    return this.#fetched.day === day ? this.#fetched.octets : 0
  }

  /** Anything that a drain would do even if nothing new has arrived. */
  get unfinished(): boolean {
    if (this.#pending.size > 0) return true
    for (const epochs of this.#folders.values())
      for (const { failed } of epochs.values()) if (failed.size > 0) return true
    return false
  }

  apply({ header, entries }: Segment): void {
    const day = dayOf(new Date(header.closedAt))
    if (header.octetsFetched > 0)
      this.#fetched = { day, octets: this.octetsFetchedOn(day) + header.octetsFetched }
    for (const entry of entries) this.#applyEntry(entry, header.seq, day)
  }

  #applyEntry(entry: Entry, seq: number, day: number): void {
    switch (entry.type) {
      case 'message':
        this.#message(entry, seq, day)
        return
      case 'failed':
        this.#open(entry).failed.set(serverId(entry.id), { attempts: entry.attempts, code: entry.code })
        return
      case 'quarantined': {
        const folder = this.#open(entry)
        folder.failed.delete(serverId(entry.id))
        folder.quarantined.set(serverId(entry.id), { code: entry.code, limitOctets: entry.limitOctets })
        this.#unsent(entry.unsent)
        return
      }
      case 'gone':
        this.#know(entry, day)
        return
      case 'vanished':
        for (const id of readIdList(entry.ids).uidls) this.#forget(this.#open(entry), serverId(id))
        return
      case 'filtered': {
        const folder = this.#open(entry)
        if (folder.filtered?.search !== entry.search)
          folder.filtered = { search: entry.search, ids: new IdDays() }
        addAll(folder.filtered.ids, entry.ids)
        return
      }
      case 'reset': {
        this.#folders.get(entry.folder)?.delete(entry.from)
        this.#open({ folder: entry.folder, epoch: entry.to })
        this.#unsent(entry.unsent)
        return
      }
      case 'taken': {
        const pending = this.#pending.get(entry.event)
        if (pending) this.#pending.set(entry.event, { ...pending, taken: [...pending.taken, entry.queue] })
        return
      }
      case 'announced':
        this.#pending.delete(entry.event)
        return
      case 'acknowledge':
        return
      case 'kept': {
        const folder = this.#open(entry)
        if (folder.kept?.day !== day) folder.kept = { day, ids: new IdDays() }
        addAll(folder.kept.ids, entry.ids)
        return
      }
      case 'refetch':
        this.#refetch(entry)
        return
      case 'dismissed': {
        const { failed, quarantined } = this.#open(entry)
        const code = quarantined.get(serverId(entry.id))?.code ?? 'DISMISSED'
        failed.delete(serverId(entry.id))
        // Without the limit that it was over: a higher one does not bring it back.
        quarantined.set(serverId(entry.id), { code, dismissed: true })
        return
      }
      case 'delete':
        this.#deleting.add(entry.sha256)
        return
      case 'deleted':
        this.#deleting.delete(entry.sha256)
        if (entry.ground === 'erasure') this.#forgotten.add(entry.sha256)
        return
      case 'acknowledged':
        // A UIDL that was deleted may be given to another message (RFC 1939, 7); a UID never is.
        for (const id of readIdList(entry.ids).uidls) this.#forget(this.#open(entry), serverId(id))
        return
    }
  }

  #message(entry: MessageEntry, seq: number, day: number): void {
    this.#know(entry, day)
    const digest = entry.sha256 as Sha256
    if (entry.writtenFor !== undefined && entry.outcome !== 'duplicate') this.#strays.set(digest, seq)
    const event = archivedEventId(this.#mailbox, digest)
    const place = { folder: entry.folder, epoch: entry.epoch as Epoch, id: serverId(entry.id) }
    if (entry.outcome === 'duplicate') this.#pending.get(event)?.places.push(place)
    else if (entry.outcome === 'announced' || entry.outcome === 'imported') this.#pending.delete(event)
    else {
      const places = [...(this.#pending.get(event)?.places ?? []), place]
      this.#pending.set(event, {
        event,
        queue: entry.queue ?? 'default',
        message: entry,
        body: undefined,
        taken: takenBy(entry),
        places,
      })
    }
  }

  #refetch(entry: Extract<Entry, { type: 'refetch' }>): void {
    const folder = this.#open(entry)
    for (const id of eachId(entry.ids)) {
      this.#forget(folder, id)
      folder.failed.set(id, { attempts: 0, code: 'REFETCH' })
    }
  }

  #know(entry: { folder: string; epoch: string; id: string | number }, day: number): void {
    const id = serverId(entry.id)
    if (isSessionId(id)) return
    const folder = this.#open(entry)
    folder.known.add(id, day)
    folder.failed.delete(id)
    folder.quarantined.delete(id)
  }

  #forget(folder: FolderFold, id: ServerId): void {
    folder.known.delete(id)
    folder.failed.delete(id)
    folder.quarantined.delete(id)
  }

  #unsent(event: UnsentEvent | undefined): void {
    if (event)
      this.#pending.set(event.id, {
        event: event.id,
        queue: event.queue,
        message: undefined,
        body: event.body,
        taken: [],
        places: [],
      })
  }

  #open({ folder, epoch }: { folder: string; epoch: string }, initial?: FolderFold): FolderFold {
    let epochs = this.#folders.get(folder)
    if (!epochs) {
      epochs = new Map()
      this.#folders.set(folder, epochs)
    }
    let found = epochs.get(epoch)
    if (!found) {
      found = initial ?? emptyFolder()
      epochs.set(epoch, found)
    }
    return found
  }

  toJSON(): FoldJson {
    return {
      folders: [...this.#folders].flatMap(([folder, epochs]) =>
        [...epochs].map(([epoch, { known, failed, quarantined, kept, filtered }]) => ({
          folder,
          epoch,
          known: known.toJSON(),
          failed: [...failed],
          quarantined: [...quarantined],
          kept: kept && { day: kept.day, ids: kept.ids.toJSON() },
          filtered: filtered && { search: filtered.search, ids: filtered.ids.toJSON() },
        })),
      ),
      pending: [...this.#pending.values()],
      strays: [...this.#strays],
      deleting: [...this.#deleting],
      forgotten: [...this.#forgotten],
      fetched: this.#fetched,
    }
  }

  static fromJSON(mailbox: MailboxId, json: FoldJson): Fold {
    const fold = new Fold(mailbox)
    for (const { folder, epoch, known, failed, quarantined, kept, filtered } of json.folders) {
      fold.#open(
        { folder, epoch },
        {
          known: IdDays.fromJSON(known),
          failed: new Map(failed),
          quarantined: new Map(quarantined),
          kept: kept && { day: kept.day, ids: IdDays.fromJSON(kept.ids) },
          filtered: filtered && { search: filtered.search, ids: IdDays.fromJSON(filtered.ids) },
        },
      )
    }
    for (const pending of json.pending)
      fold.#pending.set(pending.event, { ...pending, taken: pending.taken ?? [] })
    for (const [digest, seq] of json.strays) fold.#strays.set(digest, seq)
    for (const digest of json.deleting ?? []) fold.#deleting.add(digest)
    for (const digest of json.forgotten ?? []) fold.#forgotten.add(digest)
    fold.#fetched = json.fetched
    return fold
  }
}

export interface FoldJson {
  readonly folders: readonly {
    readonly folder: string
    readonly epoch: string
    readonly known: IdDaysJson
    readonly failed: readonly (readonly [ServerId, Failure])[]
    readonly quarantined: readonly (readonly [ServerId, Quarantine])[]
    /** Absent in snapshots of versions that kept nothing. */
    readonly kept?: { readonly day: number; readonly ids: IdDaysJson } | undefined
    readonly filtered: { readonly search: string; readonly ids: IdDaysJson } | undefined
  }[]
  /** Snapshots of earlier versions have no `taken`. */
  readonly pending: readonly (Omit<Pending, 'taken'> & Partial<Pick<Pending, 'taken'>>)[]
  readonly strays: readonly (readonly [Sha256, number])[]
  /** Absent in snapshots of versions that deleted nothing. */
  readonly deleting?: readonly string[]
  readonly forgotten?: readonly string[]
  readonly fetched: { readonly day: number; readonly octets: number }
}

/** Tells whether ids were filtered by the search in force or by an earlier one. */
export function searchDigest(search: Search): string {
  const canonical = JSON.stringify(
    [search.since, search.before, search.from, search.subject].map((value) => value ?? null),
  )
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16)
}

function takenBy({ queues = [] }: MessageEntry): string[] {
  return queues.filter(({ refused }) => refused === undefined).map(({ queue }) => queue)
}

function emptyFolder(): FolderFold {
  return {
    known: new IdDays(),
    failed: new Map(),
    quarantined: new Map(),
    kept: undefined,
    filtered: undefined,
  }
}

function addAll(ids: IdDays, list: IdList): void {
  const { runs, uidls } = readIdList(list)
  for (const [from, to] of runs) ids.addRun(from, to, 0)
  for (const uidl of uidls) ids.add(serverId(uidl), 0)
}

function* eachId(list: IdList): Generator<ServerId> {
  const { runs, uidls } = readIdList(list)
  for (const [from, to] of runs) for (let uid = from; uid <= to; uid++) yield serverId(uid)
  for (const uidl of uidls) yield serverId(uidl)
}

/** Ids come back from JSON without their brand. */
function serverId(id: string | number): ServerId {
  return id as ServerId
}
