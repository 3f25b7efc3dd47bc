import { createHash } from 'node:crypto'
import type { Attachment } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import type { PartHeader } from './part-header.ts'

/** Measures the attachments of one message as their octets pass by; none are held. */
export class Attachments {
  readonly list: Attachment[] = []
  truncated = false

  /** A function to give the decoded octets to and one to say that there are no more; undefined above the limit. */
  begin(header: PartHeader, partPath: string): { take(octets: Buffer): void; end(): void } | undefined {
    if (this.list.length === PARSER.attachments) {
      this.truncated = true
      return undefined
    }
    const hash = createHash('sha256')
    const attachment: Attachment = {
      contentType: header.type,
      octets: 0,
      sha256: '',
      disposition: header.disposition,
      partPath,
    }
    if (header.name !== undefined) attachment.name = header.name
    if (header.contentId !== undefined) attachment.contentId = header.contentId
    this.list.push(attachment)
    return {
      take: (octets) => {
        attachment.octets += octets.length
        hash.update(octets)
      },
      end: () => {
        attachment.sha256 = hash.digest('hex')
      },
    }
  }
}
