import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openImap } from '../../shared/mailbox/imap.ts'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
import { openSpool } from '../../shared/octets.ts'
import type { FetchedAlone, Request } from './fetch-alone.ts'

// The program behind fetch-alone.ts: fetches INBOX, and writes what it fetched and the most memory it ever had.

const { protocol, access, password, pauseMs } = JSON.parse(process.argv[2] ?? '') as Request
const open = protocol === 'imap' ? openImap : openPop3
const session = await open({
  ...access,
  ca: access.ca,
  search: undefined,
  password: async () => password,
})
const spool = openSpool()
const messages: FetchedAlone['messages'][number][] = []
try {
  const listing = await session.list('INBOX')
  for await (const { octets } of session.fetch(listing, listing.ids, {
    maxOctets: 1024 ** 3,
    spool,
    keepGoing: () => true,
  })) {
    if (octets === undefined) continue
    const hash = createHash('sha256')
    for await (const part of octets.open()) hash.update(part)
    messages.push({
      length: octets.length,
      sha256: octets.sha256,
      spooled: octets.path !== undefined,
      readSha256: hash.digest('hex'),
    })
    await octets.discard()
    await sleep(pauseMs)
  }
} finally {
  await spool.close()
  await session.close()
}
// Not getrusage: what that says begins with the memory of the process that started this one.
const [, peakKib] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
const told: FetchedAlone = { messages, maxRssMib: Math.round(Number(peakKib) / 1024) }
process.stdout.write(JSON.stringify(told))
