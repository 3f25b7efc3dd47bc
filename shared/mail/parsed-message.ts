import type {
  Attachment,
  LabelData,
  MessageClass,
  MessageData,
  ParseData,
  TextData,
} from '../contract/event.ts'
import type { ReportData } from './reports.ts'

/** A run of octets of a message. */
export interface Extent {
  readonly start: number
  readonly octets: number
}

/** Where the body of a part stands among the octets of its message, and how it is encoded. */
export interface EncodedPart extends Extent {
  /** Content-Transfer-Encoding, lower case; '' when absent. */
  readonly encoding: string
  /** The lines of the message end with CR alone: it is read with LF in its place. */
  readonly bareCr?: true
}

/** What is read out of a message's octets; the part of the event that depends on nothing else. */
export interface ParsedMessage extends ReportData {
  readonly message: MessageData
  readonly text: TextData
  readonly attachments: readonly Attachment[]
  readonly attachmentsTruncated: boolean
  /** Of each attachment, by its partPath: to read it again without a parse. */
  readonly encoded: Readonly<Record<string, EncodedPart>>
  readonly class: MessageClass
  readonly labels: readonly LabelData[]
  readonly authentication: readonly string[]
  readonly parse: ParseData
}
