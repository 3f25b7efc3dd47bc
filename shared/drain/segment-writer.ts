import type { Retention } from '../archive/archive.ts'
import type { DrainId, Sha256 } from '../contract/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Entry, LedgerServer } from '../ledger/segment.ts'
import { DRAIN } from '../limits.ts'

/** What a task leaves: an entry, and whether the ledger needs it (a repeat that would be met again by every drain is not written each time). */
export interface Outcome {
  readonly entry: Entry
  readonly record: boolean
  /** An event that is sent when the segment closes; `announce` says what is then to be recorded instead of `entry`. */
  readonly unannounced?: { readonly octets: number; announce(): Promise<Entry> }
}

interface OpenSegment {
  readonly seq: number
  readonly startedAt: Date
  /** In the order in which the messages were fetched; undefined while its task runs. */
  readonly outcomes: (Outcome | undefined)[]
  readonly tasks: Promise<void>[]
  /** Messages that this segment will name. */
  readonly digests: Set<Sha256>
  octetsFetched: number
  /** Of events that wait for the segment to close. */
  octetsUnannounced: number
  /** Its time is over. */
  old: boolean
}

export interface SegmentWriterOptions {
  readonly ledger: Ledger
  readonly drain: DrainId
  readonly afterArchive: unknown
  readonly retention: Retention | undefined
  /** Enough to close a segment, and the most in one. */
  readonly segmentMessages: number
  readonly segmentMessagesMost: number
  readonly now: () => Date
  /** Called with what a segment held once it is committed. */
  readonly committed: (outcomes: readonly Outcome[], recorded: boolean) => void
}

/**
 * Fills segments with what becomes of messages and commits them in order. While one is closed the next is filled; a third
 * waits. A segment's events are sent when it closes, all at once and just before it is recorded: what a crash makes uncertain, and so has
 * announced again, is what was sent in that moment, not all that was fetched since the segment before. The first failure of a task or commit is kept in `failure`; after it nothing more is begun.
 */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions
  /** Messages on their way in the open and the closing segment: a second one with the same octets waits for the first. */
  readonly #underWay = new Map<Sha256, Promise<Outcome>>()
  #open: OpenSegment | undefined
  #closing: Promise<void> = Promise.resolve()
  #closingSegment: OpenSegment | undefined
  #server: LedgerServer | undefined
  #ageing: NodeJS.Timeout | undefined
  failure: { readonly error: unknown } | undefined

  constructor(options: SegmentWriterOptions) {
    this.#options = options
  }

  /** Named in the header of every segment from now on. */
  servedBy(server: LedgerServer): void {
    this.#server = server
  }

  /** Octets fetched on a day (UTC) by all drains, and by this one in segments that are not committed yet. */
  octetsFetchedOn(day: number): number {
    const underWay = (this.#open?.octetsFetched ?? 0) + (this.#closingSegment?.octetsFetched ?? 0)
    return this.#options.ledger.fold.octetsFetchedOn(day) + underWay
  }

  /** An entry that is complete. */
  add(entry: Entry): void {
    this.#segment().outcomes.push({ entry, record: true })
  }

  /**
   * Begins with a message; `first` is told the number of the segment that will name it. If the same octets are on their way already,
   * `repeat` is called instead, with what comes of them.
   */
  run(
    digest: Sha256,
    octetsFetched: number,
    first: (seq: number) => Promise<Outcome>,
    repeat: (first: Promise<Outcome>) => Promise<Outcome>,
  ): void {
    const segment = this.#segment()
    segment.octetsFetched += octetsFetched
    const earlier = this.#underWay.get(digest)
    const task = earlier ? repeat(earlier) : first(segment.seq)
    if (!earlier) {
      this.#underWay.set(digest, task)
      segment.digests.add(digest)
    }
    const at = segment.outcomes.push(undefined) - 1
    segment.tasks.push(
      task.then(
        (outcome) => {
          segment.outcomes[at] = outcome
          segment.octetsUnannounced += outcome.unannounced?.octets ?? 0
        },
        (error: unknown) => this.#fail(error),
      ),
    )
  }

  /**
   * Closes the open segment when it has enough and nothing else is closing, which happens beside further work; when it is full or old, it
   * waits for the one before it. So a store that is slow to write gets fewer and larger segments, and nobody waits for it.
   */
  async cutIfDue(): Promise<void> {
    const segment = this.#open
    if (!segment) return
    const messages = segment.outcomes.length
    const full =
      messages >= this.#options.segmentMessagesMost ||
      segment.octetsUnannounced >= DRAIN.segmentEventOctets ||
      segment.old
    if (!full && (messages < this.#options.segmentMessages || this.#closingSegment)) return
    await this.#closing
    // Its time may have come meanwhile.
    if (this.#open === segment) this.#close(segment)
  }

  /** Waits for all tasks and commits everything, after a failure whatever is complete. Rejects with the first failure. */
  async flush(): Promise<void> {
    await this.#closing
    if (this.#open) this.#close(this.#open)
    await this.#closing
    if (this.failure) throw this.failure.error
  }

  /** After a defect: the open segment is left as it is, and does not close by itself. */
  abandon(): void {
    clearTimeout(this.#ageing)
  }

  #segment(): OpenSegment {
    if (this.#open) return this.#open
    const segment: OpenSegment = {
      // The closing one takes the number before.
      seq: this.#options.ledger.nextSeq + (this.#closingSegment ? 1 : 0),
      startedAt: this.#options.now(),
      outcomes: [],
      tasks: [],
      digests: new Set(),
      octetsFetched: 0,
      octetsUnannounced: 0,
      old: false,
    }
    // A server that says nothing for long must not keep back the events of what it said before.
    this.#ageing = setTimeout(() => {
      segment.old = true
      void this.cutIfDue()
    }, DRAIN.segmentMs)
    this.#open = segment
    return segment
  }

  #close(segment: OpenSegment): void {
    clearTimeout(this.#ageing)
    this.#open = undefined
    this.#closingSegment = segment
    this.#closing = this.#commit(segment).catch((error: unknown) => this.#fail(error))
  }

  async #commit(segment: OpenSegment): Promise<void> {
    try {
      await this.#write(segment)
    } finally {
      for (const digest of segment.digests) this.#underWay.delete(digest)
      this.#closingSegment = undefined
    }
  }

  async #write(segment: OpenSegment): Promise<void> {
    const { ledger, drain, afterArchive, retention, now, committed } = this.#options
    await Promise.all(segment.tasks)
    const complete = segment.outcomes.filter((outcome) => outcome !== undefined)
    const outcomes = await Promise.all(complete.map(announced))
    const recorded = outcomes.filter(({ record }) => record).map(({ entry }) => entry)
    if (recorded.length > 0) {
      await ledger.commit(
        {
          drain,
          startedAt: segment.startedAt,
          closedAt: now(),
          octetsFetched: segment.octetsFetched,
          server: this.#server,
          afterArchive,
          // The number was foretold; it is another when the segment before had nothing to record, or could not be written.
          entries:
            segment.seq === ledger.nextSeq ? recorded : recorded.map((entry) => strayed(entry, segment.seq)),
        },
        retention,
      )
    }
    committed(outcomes, recorded.length > 0)
  }

  #fail(error: unknown): void {
    this.failure ??= { error }
  }
}

async function announced(outcome: Outcome): Promise<Outcome> {
  const { record, unannounced } = outcome
  return unannounced ? { entry: await unannounced.announce(), record } : outcome
}

function strayed(entry: Entry, seq: number): Entry {
  if (entry.type !== 'message' || entry.outcome === 'duplicate' || entry.writtenFor !== undefined)
    return entry
  return { ...entry, writtenFor: seq }
}
