/**
 * Why a message is not `parsed`, worst first: when several hold, the event names the first of this list.
 * The three at the top come with `failed`, the others with `partial`.
 */
export const PARSE_CODES = {
  TIMED_OUT: 'The parse took longer than the deadline; only the start of the header was read.',
  OUT_OF_MEMORY: 'The parse needed more memory than a worker has; only the start of the header was read.',
  PARSER_FAILED: 'The parser failed, which is a defect of it; only the start of the header was read.',
  NO_HEADER: 'The message does not begin with a header.',
  HEADER_TOO_LARGE: 'A header is larger than the limit; the rest of it was left out.',
  TOO_MANY_PARTS: 'There are more body parts than the limit; the rest was left out.',
  TOO_DEEP: 'Multiparts are nested deeper than the limit; the innermost is one attachment.',
  MISSING_BOUNDARY: 'A multipart names no usable boundary; it was taken as text.',
  MISSING_PARTS: 'The boundary of a multipart never occurs in it.',
  TRUNCATED_MULTIPART: 'A multipart has no closing delimiter; the message may have been cut off.',
  UNKNOWN_ENCODING: 'A body part has an unknown Content-Transfer-Encoding; its octets count as they are.',
  BARE_CR_LINE_ENDS: 'Lines end with CR alone; it was read as if they ended with LF.',
} as const

export type ParseCode = keyof typeof PARSE_CODES

const ORDER = Object.keys(PARSE_CODES) as ParseCode[]
const FAILED: ReadonlySet<ParseCode> = new Set(['TIMED_OUT', 'OUT_OF_MEMORY', 'PARSER_FAILED'])

/** Raised whenever the same octets may parse differently than before. */
export const PARSER_VERSION = '3'

/** The worst of the codes; undefined when there is none. */
export function worst(codes: Iterable<ParseCode>): ParseCode | undefined {
  const found = new Set(codes)
  return ORDER.find((code) => found.has(code))
}

export function isFailure(code: ParseCode): boolean {
  return FAILED.has(code)
}
