import type { Attachment, MessageClass, MessageData, ParseData, TextData } from '../contract/event.ts'

/** What is read out of a message's octets; the part of the event that depends on nothing else. */
export interface ParsedMessage {
  readonly message: MessageData
  readonly text: TextData
  readonly attachments: readonly Attachment[]
  readonly attachmentsTruncated: boolean
  readonly class: MessageClass
  readonly authentication: readonly string[]
  readonly parse: ParseData
}
