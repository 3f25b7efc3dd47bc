import { randomBytes } from 'node:crypto'
import { openFileArchive } from '../../shared/archive/file.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey } from '../../shared/contract/object-key.ts'
import { memoryOctets } from '../../shared/octets.ts'

// A process that writes to a file archive until it is killed: `node archive-writer.ts FOLDER NAME FIRST`. It prints a line for each object that
// it has created, and for nothing else. Segments have numbers that other writers use too, and so have every other message its octets.

const [folder = '', name = '', first = '1'] = process.argv.slice(2)
const archive = openFileArchive(folder)
const mailbox = mailboxId('shared')
let seq = Number(first)

async function writer(): Promise<void> {
  while (true) {
    const number = seq++
    const segment = memoryOctets(
      Buffer.from(`segment ${number} of ${name}, ${randomBytes(20).toString('hex')}\n`),
    )
    const message = memoryOctets(number % 2 === 0 ? Buffer.from(`message ${number}\n`) : randomBytes(2000))
    const puts = [
      { key: ledgerKey(mailbox, number), octets: segment, seq: number },
      // Eight messages are written for one segment.
      { key: rawKey(mailbox, message.sha256), octets: message, seq: number - (number % 8) },
    ]
    for (const { key, octets, seq } of puts) {
      const writtenFor = { seq, drain: name as DrainId }
      const { outcome } = await archive.put(key, octets, { contentType: 'application/x-ndjson', writtenFor })
      if (outcome === 'created') process.stdout.write(`${key} ${octets.sha256} ${seq}\n`)
    }
  }
}

await Promise.all(Array.from({ length: 8 }, writer))
