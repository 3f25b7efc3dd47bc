import { once } from 'node:events'
import { MailParser } from 'mailparser'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { alternative, many, single, withAttachment } from './generated-mail.ts'

// How fast one thread reads mail, and how many times as fast as mailparser's streaming parser beside it in the same run:
// `npm run bench:parse [seconds]`. The mail is generated, the same each time.

const SECONDS = Number(process.argv[2] ?? 3)

const SMALL = many(300, alternative)
/** A tenth of a mailbox: as many messages of each kind as in a measured one, most octets in attachments. */
const MIXED = [
  ...many(30, alternative),
  ...many(20, (number) => single(number, 'text/plain', 20_000)),
  ...many(10, (number) => single(number, 'text/html', 100_000)),
  ...many(5, (number) => withAttachment(number, 200_000)),
  ...many(2, (number) => withAttachment(number, 1_000_000)),
  ...many(1, (number) => withAttachment(number, 5_000_000)),
]

async function readWithMailparser(octets: Buffer): Promise<void> {
  const parser = new MailParser({
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
    checksumAlgo: 'sha256',
  })
  parser.on('data', (data) => {
    if (data.type !== 'attachment') return
    data.content.resume()
    data.content.once('end', () => data.release?.())
  })
  const ended = once(parser, 'end')
  // In pieces, as from a socket: one write of everything is slower.
  for (let at = 0; at < octets.length; at += 64 * 1024)
    if (!parser.write(octets.subarray(at, at + 64 * 1024))) await once(parser, 'drain')
  parser.end()
  await ended
}

interface Rate {
  readonly messages: number
  readonly megabytes: number
}

/** Time that this thread was given by a processor: what others do on the machine meanwhile does not count. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Messages and megabytes a second; reads all of them until the time is over, at least once. */
async function rate(messages: readonly Buffer[], read: (octets: Buffer) => Promise<unknown>): Promise<Rate> {
  for (const octets of messages.slice(0, 50)) await read(octets)
  const startedMs = threadMs()
  let count = 0
  let octetsRead = 0
  while (threadMs() - startedMs < SECONDS * 1000)
    for (const octets of messages) {
      await read(octets)
      count++
      octetsRead += octets.length
    }
  const seconds = (threadMs() - startedMs) / 1000
  return { messages: count / seconds, megabytes: octetsRead / 1e6 / seconds }
}

for (const [name, messages] of Object.entries({ small: SMALL, mixed: MIXED })) {
  const average = messages.reduce((sum, { length }) => sum + length, 0) / messages.length / 1000
  const ours = await rate(messages, parseMessage)
  const theirs = await rate(messages, readWithMailparser)
  const line = ({ messages, megabytes }: Rate): string =>
    `${messages.toFixed(0).padStart(6)} messages/s ${megabytes.toFixed(1).padStart(6)} MB/s`
  console.log(`${name} mail, ${average.toFixed(1)} kB on average`)
  console.log(`  mailsluice ${line(ours)}`)
  console.log(`  mailparser ${line(theirs)}`)
  console.log(`  ratio      ${(ours.megabytes / theirs.megabytes).toFixed(1)}`)
}
