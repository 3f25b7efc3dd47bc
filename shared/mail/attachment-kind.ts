import type { AttachmentKind } from '../contract/event.ts'
import { TNEF } from './file-type.ts'
import type { Place } from './mime-scanner.ts'
import type { PartHeader } from './part-header.ts'

const MESSAGE = /^message\/(?:rfc822|global|partial|news)$/
/** RFC 3464, 6533, 8098 and 5965, and the header that a bounce returns (RFC 6522, 4). */
const REPORT =
  /^(?:message\/(?:delivery-status|disposition-notification|feedback-report|global-delivery-status|global-disposition-notification|global-headers)|text\/rfc822-headers)$/
const SIGNATURE = /^application\/(?:pgp-signature|(?:x-)?pkcs7-signature)$/
const CALENDAR = /^(?:text\/calendar|application\/ics)$/
const ARCHIVE =
  /^application\/(?:zip|x-zip(?:-compressed)?|(?:x-)?gzip|x-bzip2|x-xz|zstd|x-7z-compressed|vnd\.rar|x-rar(?:-compressed)?|x-tar|x-gtar|vnd\.ms-cab-compressed)$/
const TNEF_TYPE = /^application\/(?:vnd\.)?ms-tnef$/

/** What an attachment is for a consumer, by its header, its place and the type of its octets. */
export function kindOf(header: PartHeader, { within }: Place, detected: string | undefined): AttachmentKind {
  const { type, name, contentId } = header
  if (MESSAGE.test(type)) return 'message'
  if (REPORT.test(type)) return 'report'
  if (TNEF_TYPE.test(type) || detected === TNEF || /^winmail\.dat$/i.test(name ?? '')) return 'tnef'
  if (SIGNATURE.test(type)) return 'signature'
  if (CALENDAR.test(type) || detected === 'text/calendar') return 'calendar'
  // What HTML shows stands beside it in a multipart/related and has an id (RFC 2387, RFC 2392).
  if (within === 'related' && contentId !== undefined && /^image\//.test(detected ?? type))
    return 'inline-image'
  if (ARCHIVE.test(detected ?? type)) return 'archive'
  return 'file'
}
