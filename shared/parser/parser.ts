import type { ParsedMessage } from '../mail/parsed-message.ts'
import type { Octets } from '../octets.ts'

/** The parser port. It never rejects because of a message: a parse that failed, ran out of time or memory is in `parse`. */
export interface Parser {
  /** `fields`: names, in lower case, of header fields that `headers` has besides the chosen few, for routes look at them. */
  parse(octets: Octets, fields?: readonly string[]): Promise<ParsedMessage>
  /** Something will be parsed soon: a worker is started meanwhile. A failure is met by `parse`. */
  prepare?(): void
  /** Ends the workers. */
  close(): Promise<void>
}
