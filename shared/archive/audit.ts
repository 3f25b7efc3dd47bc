import type { Readable } from 'node:stream'
import type { ObjectKey } from '../contract/ids.ts'
import type { ObjectFacts, Retention } from './archive.ts'

// The audit port: looks at everything that a store has, also at what a reader of the archive never sees: versions beneath the newest,
// delete markers, locks. It changes nothing.

/** A version of an object; without an id the latest, which is the only one in stores without versions. */
export interface VersionName {
  readonly key: ObjectKey
  readonly versionId: string | undefined
}

export interface ListedVersion extends VersionName {
  readonly octets: number
  /** ISO 8601, by the store's clock. */
  readonly storedAt: string
  /** It is what a reader of the key gets. */
  readonly latest: boolean
  /** No octets: as the latest it hides the versions beneath. */
  readonly deleteMarker: boolean
}

export interface VersionFacts extends ObjectFacts {
  /** Undefined when its retention is over or it never had one. */
  readonly lockMode: Retention['mode'] | undefined
  readonly legalHold: boolean
}

/** Every method rejects with ARCHIVE_… errors alone; ARCHIVE_DENIED when the auditor may not see locks, never with a lock missing for that reason. */
export interface ArchiveAudit {
  /** Whether the store has locks to be looked at. */
  readonly locks: boolean
  /** What the store locks new objects by today; undefined when there is none, and when the auditor may not see it. */
  defaultRetention(): Promise<Retention | undefined>
  /**
   * Every version and delete marker under a prefix: keys in byte order, after `after`; of one key the newest first.
   * Complete or an error: never a partial list.
   */
  versions(prefix: string, after?: string): AsyncIterable<ListedVersion>
  /** What the store has recorded of one version; undefined when there is none. A delete marker is not asked for. */
  inspect(version: VersionName): Promise<VersionFacts | undefined>
  /**
   * Its octets as they are, compared with nothing. Rejects with ARCHIVE_CONFLICT when there is no such version; the stream fails with
   * ARCHIVE_UNAVAILABLE when it breaks off. The caller reads or destroys it.
   */
  open(version: VersionName): Promise<Readable>
}
