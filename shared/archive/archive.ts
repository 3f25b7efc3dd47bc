import type { Readable } from 'node:stream'
import type { DrainId, ObjectKey, Sha256 } from '../contract/ids.ts'
import type { Octets } from '../octets.ts'

// The archive port: a store that only ever adds. There is no delete and no overwrite in it.

/** For which segment an object was written: stored with the object, so that a later drain can look whether that segment names it. */
export interface WrittenFor {
  readonly seq: number
  readonly drain: DrainId
}

export interface PutOptions {
  readonly contentType: 'message/rfc822' | 'application/x-ndjson'
  readonly writtenFor: WrittenFor
  /** Overrides the store's default retention. */
  readonly retention?: Retention | undefined
}

export interface Retention {
  readonly mode: 'governance' | 'compliance'
  readonly days: number
}

export interface ObjectFacts {
  readonly key: ObjectKey
  readonly octets: number
  /** As the store recorded it; undefined for an object that somebody else wrote without one. */
  readonly sha256: Sha256 | undefined
  readonly versionId: string | undefined
  readonly writtenFor: WrittenFor | undefined
  /** ISO 8601; undefined when nothing is locked or the reader may not see it. */
  readonly retainUntil: string | undefined
}

/**
 * `created`: this call (or an earlier try of it whose answer got lost) stored the octets.
 * `exists`: an object has that key already; nothing was changed. Its octets are not compared: the caller does what its key demands.
 */
export type PutResult =
  | {
      readonly outcome: 'created'
      readonly versionId: string | undefined
      readonly retainUntil: string | undefined
    }
  | { readonly outcome: 'exists'; readonly facts: ObjectFacts }

export interface ArchiveFacts {
  /** `s3://bucket` or `file:///…`. */
  readonly location: string
  readonly versioning: boolean
  readonly objectLock: boolean
  readonly defaultRetention: Retention | undefined
  /** What an operator should know and that does not stop a drain; empty when all is as it should be. */
  readonly warnings: readonly string[]
}

export interface ListedObject {
  readonly key: ObjectKey
  readonly octets: number
}

/** Every method rejects with ARCHIVE_… errors alone. */
export interface Archive {
  /** URI of an object for the event: `s3://bucket/key` or `file:///…/key`. */
  uri(key: ObjectKey): string
  /** Bucket name; undefined for files and memory. */
  readonly bucket: string | undefined
  /**
   * Stores the octets under a key that has none yet, durably: after it resolves, neither a crash of this process nor of
   * the machine (files) loses them. The store checks the SHA-256. A source that ends early is an error, never a stored object.
   */
  put(key: ObjectKey, body: Octets, options: PutOptions): Promise<PutResult>
  /** Undefined when there is no such object. */
  find(key: ObjectKey): Promise<ObjectFacts | undefined>
  /**
   * Rejects with ARCHIVE_CONFLICT when there is no such object: absence of what we recorded is never normal. The body is checked against
   * the facts while it is read: it fails before its end with ARCHIVE_CONFLICT when it is another content, with ARCHIVE_UNAVAILABLE
   * when it breaks off. The caller reads or destroys it; until then it holds a file or a connection.
   */
  get(key: ObjectKey): Promise<{ readonly body: Readable; readonly facts: ObjectFacts }>
  /** Keys with a prefix in byte order, after `after`. Complete or an error: never a partial list. */
  list(prefix: string, after?: ObjectKey): AsyncIterable<ListedObject>
  /**
   * Looks whether the store can keep the promises, before any mail is touched; that it can is good for ARCHIVE.checkedMs. ARCHIVE_MISSING, ARCHIVE_MISCONFIGURED,
   * ARCHIVE_DENIED.
   */
  check(): Promise<ArchiveFacts>
}
