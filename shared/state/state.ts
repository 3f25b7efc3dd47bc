import type { ObjectKey } from '../contract/ids.ts'

/** An opaque token for compare-and-swap: the ETag of S3, a digest of the content elsewhere. */
export type Revision = string & { readonly __brand: 'Revision' }

export interface StateEntry {
  readonly content: Buffer
  readonly revision: Revision
}

/**
 * Small settings and caches: snapshots, the mailbox list. Whatever is in it can be rebuilt or is set again by an operator;
 * no message depends on it. Rejects with ARCHIVE_UNAVAILABLE, ARCHIVE_DENIED, ARCHIVE_MISSING or ARCHIVE_MISCONFIGURED.
 */
export interface StateStore {
  /** Undefined when there is none. */
  read(key: ObjectKey): Promise<StateEntry | undefined>
  /** As `read`, but `'unchanged'` and no content when the entry still has the revision `known`: for what is read often. */
  readIfChanged(key: ObjectKey, known: Revision): Promise<StateEntry | 'unchanged' | undefined>
  /**
   * Writes if the entry still has that revision (`undefined`: if there is none yet; `'any'`: regardless).
   * False when somebody else was faster.
   */
  write(key: ObjectKey, content: Buffer, expected: Revision | undefined | 'any'): Promise<boolean>
}
