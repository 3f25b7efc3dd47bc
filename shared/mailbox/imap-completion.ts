import { IngestError } from '../errors.ts'
import type { ImapLine, ImapReader } from './imap-reader.ts'

/** The end of a command of ours (RFC 9051, 7.1). */
export interface Completion {
  /** Upper case; undefined where the server left it out: then it is that of the command that is awaited. */
  readonly tag: string | undefined
  readonly status: string
  /** Without its arguments; empty without one. */
  readonly code: string
  readonly text: string
}

const TAGGED = /^(M\d+) (OK|NO|BAD|BYE)(?: \[([^\]\s]+)[^\]]*\])?(?: (.*))?$/i
/** Some servers answer what they cannot do without a tag. */
const TAGLESS = /^(NO|BAD)(?:\s+(.*))?$/i

/** imapflow's tags are hexadecimal: an `M` is none of them. */
export function tagOf(number: number): string {
  return `M${number}`
}

/** Undefined for a line that completes nothing. */
export function completionOf(line: string): Completion | undefined {
  const [, bare, said = ''] = TAGLESS.exec(line) ?? []
  if (bare) return { tag: undefined, status: bare.toUpperCase(), code: '', text: said }
  const [, tag, status = '', code = '', text = ''] = TAGGED.exec(line) ?? []
  return tag === undefined ? undefined : { tag: tag.toUpperCase(), status: status.toUpperCase(), code, text }
}

/**
 * Undefined for OK; the error where NO or BAD concerns the command alone: MESSAGE_UNFETCHABLE. Throws what concerns the session or the
 * mailbox.
 */
export function refusalOf(
  { status, code, text }: Completion,
  doing: string,
  connection: ImapLine,
  reader: ImapReader,
): IngestError | undefined {
  // Exchange says so where others leave the messages out.
  if (status === 'OK' || (status === 'NO' && /Some of the requested messages no longer exist/.test(text)))
    return undefined
  if (status === 'BYE') {
    reader.byeReason = text
    throw reader.lost()
  }
  const answer = answerOf({ status, code, text })
  const meaning = connection.translate(answer, doing, 'MESSAGE_UNFETCHABLE')
  if (meaning instanceof IngestError && meaning.code === 'MESSAGE_UNFETCHABLE') return meaning
  throw meaning
}

/** NO or BAD as an error that `translate` of a connection knows. */
export function answerOf({ status, code, text }: Pick<Completion, 'status' | 'code' | 'text'>): Error {
  return Object.assign(new Error('Command failed'), {
    responseStatus: status,
    responseText: text,
    serverResponseCode: code,
  })
}
