import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:tls'
import type { MailServer } from './mail-server.ts'

// What a server holds, told by clients that share no line with ours: one command after the other, everything in memory.

const LINE = /\r\n$/
const LINES = /\r\n\.\r\n$/

export interface ServedByImap {
  readonly uid: number
  readonly flags: readonly string[]
  readonly octets: Buffer
}

/** Every message of a folder, by UID, without a change to any; empty when the folder is not there. */
export async function servedByImap(
  { ports, password, folderPrefix }: MailServer,
  user: string,
  folder = 'INBOX',
): Promise<ServedByImap[]> {
  const tag = randomUUID()
  const talk = await connected(ports.imaps)
  const say = (command: string): Promise<string> =>
    talk(`${tag} ${command}\r\n`, new RegExp(`(?:^|\r\n)${tag} .*\r\n$`))
  await say(`LOGIN ${user} ${password}`)
  const name = folder === 'INBOX' ? folder : folderPrefix + folder
  const selected = await say(`SELECT "${name}"`)
  const messages: ServedByImap[] = []
  if (selected.includes(`${tag} OK`) && !/^\* 0 EXISTS/m.test(selected)) {
    const rows = await say('UID FETCH 1:* (FLAGS BODY.PEEK[])')
    messages.push(...readRows(rows, tag))
  }
  await say('LOGOUT')
  return messages.sort((a, b) => a.uid - b.uid)
}

function readRows(rows: string, tag: string): ServedByImap[] {
  const messages: ServedByImap[] = []
  const row = /\* \d+ FETCH \(([^\r\n]*?)BODY\[\] \{(\d+)\}\r\n/y
  let at = 0
  while (!rows.startsWith(tag, at)) {
    row.lastIndex = at
    const [, before = '', length] = row.exec(rows) ?? []
    assert.ok(length, `a row that is none: ${rows.slice(at, at + 200)}`)
    const end = row.lastIndex + Number(length)
    const lineEnd = rows.indexOf('\r\n', end)
    const items = before + rows.slice(end, lineEnd)
    messages.push({
      uid: Number(/UID (\d+)/.exec(items)?.[1]),
      flags: (/FLAGS \(([^)]*)\)/.exec(items)?.[1] ?? '').split(' ').filter((flag) => flag !== ''),
      octets: Buffer.from(rows.slice(row.lastIndex, end), 'latin1'),
    })
    at = lineEnd + 2
  }
  return messages
}

/** Every message of the maildrop, in its order. */
export async function servedByPop3({ ports, password }: MailServer, user: string): Promise<Buffer[]> {
  const say = await connected(ports.pop3s)
  // Without it Courier sends a report in place of mail with 8-bit octets in its header.
  if (/^UTF8/m.test(await say('CAPA\r\n', LINES))) await say('UTF8\r\n', LINE)
  await say(`USER ${user}\r\n`, LINE)
  await say(`PASS ${password}\r\n`, LINE)
  const [, count] = /^\+OK (\d+)/.exec(await say('STAT\r\n', LINE)) ?? []
  const messages: Buffer[] = []
  for (let number = 1; number <= Number(count); number++) {
    const answer = await say(`RETR ${number}\r\n`, LINES)
    const stuffed = answer.slice(answer.indexOf('\r\n') + 2, -'.\r\n'.length)
    messages.push(Buffer.from(stuffed.replace(/(^|\r\n)\./g, '$1'), 'latin1'))
  }
  await say('QUIT\r\n', LINE)
  return messages
}

/** Sends a command and resolves to the answer, octets as characters; `end` is how it ends unless it is a refusal of POP3. */
type Talk = (command: string, end: RegExp) => Promise<string>

async function connected(port: number): Promise<Talk> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  socket.setNoDelay(true)
  await once(socket, 'secureConnect')
  const chunks: AsyncIterator<Buffer> = socket[Symbol.asyncIterator]()
  const answered = async (end: RegExp): Promise<string> => {
    const parts: Buffer[] = []
    let tail = ''
    while (true) {
      const { done, value } = await chunks.next()
      if (done) throw new Error(`the server on port ${port} has closed the connection`)
      parts.push(value)
      tail = (tail + value.toString('latin1')).slice(-1000)
      const refused = parts[0]?.[0] === 0x2d
      if ((refused ? LINE : end).test(tail)) return Buffer.concat(parts).toString('latin1')
    }
  }
  await answered(LINE)
  return (command, end) => {
    socket.write(command, 'latin1')
    return answered(end)
  }
}
