import type { IngestError } from '../errors.ts'
import { printable } from './connection-errors.ts'
import { completionOf, refusalOf, tagOf } from './imap-completion.ts'
import type { ImapConnection } from './imap-connection.ts'
import { type FetchRow, isFetchRow } from './imap-fetch-row.ts'
import { ImapReader } from './imap-reader.ts'

export interface Untagged {
  row(row: FetchRow): void
  /** The numbers of `* SEARCH`, which may come in several. */
  found?(numbers: readonly number[]): void
}

const SEARCH = /^\* SEARCH(?= |$)/i

/**
 * Sends commands, all at once, on imapflow's socket and reads what they are answered with. What else the server says goes to imapflow. For
 * each command undefined, or why it was refused; rejects with what concerns the session or the mailbox, and the connection is of no use then.
 */
export async function exchange(
  connection: ImapConnection,
  commands: readonly string[],
  { row, found }: Untagged,
): Promise<readonly (IngestError | undefined)[]> {
  const socket = await connection.takeSocket()
  const reader = new ImapReader(connection, socket, connection.limits)
  const open = new Map(commands.map((command, index) => [tagOf(index + 1), command]))
  const refused = new Map<string, IngestError | undefined>()
  try {
    for (const [tag, command] of open) connection.transcript?.(`C: ${tag} ${command}`)
    socket.write([...open].map(([tag, command]) => `${tag} ${command}\r\n`).join(''))
    while (open.size > 0) {
      const [[first, command] = ['', '']] = open
      reader.doing = command.split(' ').slice(0, 2).join(' ')
      reader.allow(0)
      const completion = await answered(reader, { row, ...(found && { found }) })
      const tag = completion.tag ?? first
      const asked = open.get(tag)
      // What is no answer to anything that was asked says nothing.
      if (asked === undefined) continue
      connection.transcript?.(`S: ${printable(completion.line)}`)
      refused.set(tag, refusalOf(completion, asked, connection, reader))
      open.delete(tag)
    }
  } finally {
    if (open.size > 0 || socket.ended) connection.abort()
    else socket.giveBack(reader.rest())
  }
  return commands.map((_, index) => refused.get(tagOf(index + 1)))
}

async function answered(reader: ImapReader, { row, found }: Untagged) {
  while (true) {
    const line = await reader.line()
    if (isFetchRow(line.text)) {
      const read = await reader.row(line)
      if (read) row(read)
    } else if (found && line.literalOctets === undefined && SEARCH.test(line.text)) {
      found(line.text.match(/(?<= )\d{1,10}(?= |$)/g)?.map(Number) ?? [])
    } else if (line.text.startsWith('* ')) {
      await reader.passOn(line)
    } else {
      await reader.skipRest(line)
      const completion = completionOf(line.text)
      if (completion) return { ...completion, line: line.text }
    }
  }
}
