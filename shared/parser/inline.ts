import { parseMessage } from '../mail/parse-message.ts'
import type { Octets } from '../octets.ts'
import type { Parser } from './parser.ts'

/** Parses in this thread, without deadline and heap limit: for tests and for messages that are known to be harmless. */
export function openInlineParser(): Parser {
  return {
    parse: (octets: Octets, fields?: readonly string[]) =>
      parseMessage(octets.buffer ?? (octets.open() as AsyncIterable<Buffer>), fields),
    close: async () => {},
  }
}
