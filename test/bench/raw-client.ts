import { readFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'

// The limit: asks for a whole mailbox in as few round trips as the protocol has, and reads the octets without looking at them.
// `raw-client.ts imap|pop3 PORT CA_FILE PASSWORD USER…`, prints the number of messages. Several mailboxes are read one after the other.

const [protocol, port, ca = '', password, ...users] = process.argv.slice(2)

let socket: TLSSocket

/** Resolves to what came until it fits. */
function until(pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const read = (octets: Buffer): void => {
      text += octets.toString('latin1')
      if (!pattern.test(text)) return
      socket.off('data', read)
      socket.pause()
      resolve(text)
    }
    socket.on('data', read).once('error', reject).resume()
  })
}

/** Counts how often `mark` comes until it came `times`, or until `end`; neither may be in the mail. */
function counted(mark: Buffer, end: (count: number, tail: Buffer) => boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0
    let tail: Buffer = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${count}`)))
    socket.on('data', (octets) => {
      const seam = Buffer.concat([tail, octets.subarray(0, mark.length - 1)])
      if (seam.includes(mark)) count++
      for (let at = octets.indexOf(mark); at >= 0; at = octets.indexOf(mark, at + mark.length)) count++
      tail = Buffer.from(octets.subarray(Math.max(0, octets.length - mark.length + 1)))
      if (octets.length < mark.length - 1) tail = seam.subarray(-(mark.length - 1))
      if (!end(count, octets)) return
      socket.removeAllListeners()
      socket.on('error', () => {})
      resolve(count)
    })
    socket.resume()
  })
}

async function imap(user: string): Promise<number> {
  await until(/\r\n/)
  socket.write(`a1 LOGIN ${user} ${password}\r\na2 EXAMINE INBOX\r\na3 UID FETCH 1:* (UID BODY.PEEK[])\r\n`)
  return counted(Buffer.from(' FETCH (UID '), (_, octets) =>
    /(^|\r\n)a3 OK [^\r]*\r\n$/.test(octets.subarray(-200).toString('latin1')),
  )
}

async function pop3(user: string): Promise<number> {
  await until(/\r\n/)
  socket.write(`USER ${user}\r\nPASS ${password}\r\nSTAT\r\n`)
  const said = await until(/(\r\n.*){2}\r\n$/s)
  const messages = Number(/\+OK (\d+) \d+\r\n$/.exec(said)?.[1])
  socket.write(Array.from({ length: messages }, (_, index) => `RETR ${index + 1}\r\n`).join(''))
  return counted(Buffer.from('\r\n.\r\n'), (count) => count === messages)
}

let messages = 0
for (const user of users) {
  socket = connect({ port: Number(port), host: '127.0.0.1', servername: 'localhost', ca: readFileSync(ca) })
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  messages += await (protocol === 'imap' ? imap(user) : pop3(user))
  socket.destroy()
}
console.log(messages)
process.exit()
