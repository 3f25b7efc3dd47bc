import type { ObjectKey } from '../contract/ids.ts'
import type { OctetsToStore } from '../octets.ts'

/**
 * The port of what is made of archived messages: extracted attachments and metadata that is too long for an event. Everything in it can be made
 * again, and expires. Keys are digests of the content, so that a put that is repeated changes nothing but the age.
 */
export interface DerivedStore {
  /** URI of an object for the event: `s3://bucket/key` or `file:///…/key`. */
  uri(key: ObjectKey): string
  /** Bucket name; undefined for files and memory. */
  readonly bucket: string | undefined
  /**
   * Stores the octets, also where an object has the key: it would expire too early otherwise. A source that ends early or has another
   * content is an error, never an object. Rejects with ARCHIVE_UNAVAILABLE, ARCHIVE_DENIED, ARCHIVE_MISSING or ARCHIVE_MISCONFIGURED.
   */
  put(key: ObjectKey, body: OctetsToStore): Promise<void>
}
