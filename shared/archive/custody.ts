import type { Retention } from './archive.ts'
import type { VersionName } from './audit.ts'

// The custody port: what the records officer alone may do to a version. The archive port has none of it, and no drain is given this one.

/** Until when a version cannot be deleted. */
export interface RetainUntil {
  readonly mode: Retention['mode']
  /** To the second; S3 keeps no more. */
  readonly until: Date
}

/**
 * Each call may be repeated: done twice is done once. Every method rejects with ARCHIVE_… errors, with ARCHIVE_CONFLICT when there is no such
 * version, and with VERSION_PROTECTED when a lock forbids it (S3: Locking objects with Object Lock).
 */
export interface Custody {
  /** Sets or releases the legal hold, which keeps a version for as long as it is set, whatever its retention. */
  hold(version: VersionName, status: 'on' | 'off'): Promise<void>
  /** Keeps a version longer, or for the first time, in the mode that it has. A date before the one in force is VERSION_PROTECTED. */
  retain(version: VersionName, retention: RetainUntil): Promise<void>
  /**
   * Deletes a version for good and leaves no delete marker; one that is gone already is no error. `bypassGovernance` lifts a governance retention for this
   * one call; nothing lifts compliance or a legal hold.
   */
  delete(version: VersionName, options: { readonly bypassGovernance: boolean }): Promise<void>
}
