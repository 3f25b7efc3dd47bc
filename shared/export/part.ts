import type { IngestError } from '../errors.ts'
import type { Octets } from '../octets.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'

/** One file of an export while it is written. Every method rejects with EXPORT_FAILED when the disk does. */
export interface Part {
  add(message: ArchivedMessage, octets: Octets): Promise<void>
  /** The message could not be read: `error` says why. */
  miss(message: ArchivedMessage, error: IngestError): Promise<void>
  /** Resolves to the SHA-256 of the file when everything is on the disk. */
  end(): Promise<string>
  /** Closes what is open, after a failure. */
  abort(): Promise<void>
}

export interface ExportFormat {
  /** Name of the format, and the ending of its parts. */
  readonly name: string
  readonly ending: string
  /** Whether a part holds messages of one mailbox alone. */
  readonly perMailbox: boolean
  /** How many messages may be given to `add` before the first of them is done. */
  readonly addsAtOnce: number
  /** `file` is not there yet. */
  open(file: string): Promise<Part>
  /** Lines of SHA256SUMS for a part that is done: as sha256sum writes them, paths relative to the folder of the export. */
  sums(file: string, sha256: string): Promise<readonly string[]>
}
