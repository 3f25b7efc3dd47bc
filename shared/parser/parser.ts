import type { ParsedMessage } from '../mail/parsed-message.ts'
import type { Octets } from '../octets.ts'

/** The parser port. It never rejects because of a message: a parse that failed, ran out of time or memory is in `parse`. */
export interface Parser {
  parse(octets: Octets): Promise<ParsedMessage>
  /** Ends the workers. */
  close(): Promise<void>
}
