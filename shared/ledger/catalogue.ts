import type { Address } from '../contract/event.ts'
import { LEDGER, PARSER } from '../limits.ts'
import { withoutBrackets } from '../mail/addresses.ts'
import type { ParsedMessage } from '../mail/parsed-message.ts'
import { present } from '../present.ts'
import type { MessageEntry } from './segment.ts'

/** The part of a message's entry that comes from its octets alone. */
export type Catalogue = Pick<
  MessageEntry,
  | 'class'
  | 'parse'
  | 'messageId'
  | 'threadKey'
  | 'from'
  | 'to'
  | 'toCut'
  | 'subject'
  | 'date'
  | 'receivedAt'
  | 'attachments'
  | 'attachmentsCut'
>

/**
 * What makes the ledger a catalogue: enough to find a message again without opening it. Each list holds `most` values and says when it was cut,
 * so that a search knows what it has not seen.
 * @param most LEDGER.catalogueValues by default; infinite for all that the parser read
 */
export function catalogue(parsed: ParsedMessage, most: number = LEDGER.catalogueValues): Catalogue {
  const { message, class: messageClass, parse } = parsed
  const from = written(message.from).join(', ')
  const recipients = [
    ...written([...message.to, ...message.cc, ...message.bcc]),
    ...message.deliveredTo.map(withoutBrackets),
  ]
  // `message.truncated` may mean other fields.
  const cut = [message.to, message.cc, message.bcc, message.deliveredTo].some(
    ({ length }) => length >= PARSER.addresses,
  )
  const to = bounded(recipients, most, cut)
  const names = bounded(
    parsed.attachments.flatMap(({ name }) => name ?? []),
    most,
    parsed.attachmentsTruncated,
  )
  return {
    class: messageClass,
    parse: parse.code ? `${parse.status}: ${parse.code}` : parse.status,
    to: to.values,
    attachments: names.values,
    ...(to.cut ? { toCut: true } : {}),
    ...(names.cut ? { attachmentsCut: true } : {}),
    ...present({
      messageId: message.messageId,
      threadKey: message.threadKey,
      from: from === '' ? undefined : from,
      subject: message.subject,
      date: message.date,
      receivedAt: message.receivedAt,
    }),
  }
}

function written(list: readonly Address[]): string[] {
  return list.flatMap(({ address }) => address ?? [])
}

/** Each value once, as many and as long as an entry may have. */
function bounded(
  all: readonly string[],
  most: number,
  cutBefore: boolean,
): { values: string[]; cut: boolean } {
  const values = [...new Set(all)]
  const longest = LEDGER.catalogueCharacters
  const kept = values.slice(0, most).map((value) => value.slice(0, longest).toWellFormed())
  const cut = cutBefore || values.length > kept.length || values.some(({ length }) => length > longest)
  return { values: kept, cut }
}
