import type { ParseData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { Bounds } from './clean-text.ts'
import { type HeaderFields, readHeaderFields } from './header-fields.ts'
import { LineEnds } from './line-ends.ts'
import { classify, type PartSummary } from './message-class.ts'
import { readAuthentication, readMessageData } from './message-data.ts'
import { isFailure, PARSER_VERSION, type ParseCode, worst } from './parse-code.ts'
import type { ParsedMessage } from './parsed-message.ts'
import { readPartHeader } from './part-header.ts'

/** What is known of a message from its header and from the types of its parts. */
export function readHeader(
  fields: HeaderFields,
  parts: readonly PartSummary[],
  furtherFields: readonly string[],
): Pick<ParsedMessage, 'message' | 'authentication' | 'class' | 'labels'> {
  const bounds = new Bounds()
  const message = readMessageData(fields, bounds, furtherFields)
  const authentication = readAuthentication(fields, bounds)
  return {
    message: { ...message, truncated: bounds.exceeded },
    authentication,
    ...classify(fields, parts, message.subject ?? ''),
  }
}

export function parseData(codes: Iterable<ParseCode>): ParseData {
  const code = worst(codes)
  if (code === undefined) return { status: 'parsed', version: PARSER_VERSION }
  return { status: isFailure(code) ? 'failed' : 'partial', code, version: PARSER_VERSION }
}

/**
 * What the start of a message says of it when its parse had to be given up: its header, as far as `octets` goes, at most
 * PARSER.headerOctets, in one pass. `code` is one of those that come with `failed`.
 */
export function parseHeaderOnly(
  octets: Buffer,
  code: ParseCode,
  furtherFields: readonly string[] = [],
): ParsedMessage {
  const lineEnds = new LineEnds()
  const held = lineEnds.pass(octets.subarray(0, PARSER.headerOctets))
  const start = held.length > 0 ? held : lineEnds.rest()
  const fields = readHeaderFields(start.subarray(0, endOfHeader(start)))
  const root = readPartHeader(fields, { path: '', within: '', number: 1 }, new Bounds())
  return {
    ...readHeader(fields, [root], furtherFields),
    text: { preview: '', truncated: false, source: 'none' },
    attachments: [],
    encoded: {},
    attachmentsTruncated: false,
    parse: parseData([code]),
  }
}

const EMPTY_LINES = [Buffer.from('\n\n'), Buffer.from('\n\r\n')]

function endOfHeader(octets: Buffer): number {
  const ends = EMPTY_LINES.map((line) => octets.indexOf(line)).filter((at) => at >= 0)
  return ends.length > 0 ? Math.min(...ends) + 1 : octets.length
}
