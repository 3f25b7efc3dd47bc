import type { Archive } from '../shared/archive/archive.ts'
import type { ArchiveAudit } from '../shared/archive/audit.ts'
import type { DerivedStore } from '../shared/derived/derived.ts'
import type { EventQueues } from '../shared/queue/queue.ts'
import type { StateStore } from '../shared/state/state.ts'

/** Where messages go. Whoever opened it closes it. */
export interface Stores {
  readonly archive: Archive
  /** What a reader of the archive never sees: locks and versions. */
  readonly audit: ArchiveAudit
  readonly state: StateStore | undefined
  readonly derived: DerivedStore | undefined
  readonly queues: EventQueues
  close(): Promise<void>
}
