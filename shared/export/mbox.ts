import { basename } from 'node:path'
import { quoteFromLines } from '../mail/mbox-quoting.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import { openFileWriter } from './file-writer.ts'
import type { ExportFormat } from './part.ts'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * mboxrd, a file for each mailbox and part. Line ends of messages stay as they are, so that `archive import` has the same octets back; a message that does not
 * end a line gets a line end.
 */
export function mboxFormat(): ExportFormat {
  return {
    name: 'mbox',
    ending: 'mbox',
    perMailbox: true,
    addsAtOnce: 1,
    async open(file) {
      const writer = await openFileWriter(file)
      return {
        async add(message, octets) {
          await writer.write(fromLine(message))
          let last: number | undefined
          for await (const chunk of quoteFromLines(octets.open() as AsyncIterable<Buffer>)) {
            await writer.write(chunk)
            last = chunk.at(-1) ?? last
          }
          await writer.write(last === 0x0a ? '\n' : '\n\n')
        },
        miss: async () => {},
        end: () => writer.end(),
        abort: () => writer.abort(),
      }
    },
    sums: async (file, sha256) => [`${sha256}  ${basename(file)}`],
  }
}

/** `From sender date` (RFC 4155): date as asctime has it, in UTC. Programs split at it and read no more of it. */
function fromLine({ archivedAt, entry }: ArchivedMessage): string {
  const sender = /^[^\s,]+@[^\s,]+/.exec(entry.from ?? '')?.[0] ?? 'MAILER-DAEMON'
  const at = new Date(entry.internalDate ?? archivedAt)
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(':')
  const day = String(at.getUTCDate()).padStart(2)
  return `From ${sender} ${DAYS[at.getUTCDay()]} ${MONTHS[at.getUTCMonth()]} ${day} ${time} ${at.getUTCFullYear()}\n`
}
