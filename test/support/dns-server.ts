import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

// A name server of one zone on loopback, over UDP and TCP (RFC 1035), for what DNS says of senders and for how it fails.

const TYPES = { A: 1, CNAME: 5, PTR: 12, MX: 15, TXT: 16, AAAA: 28 } as const
type RecordType = keyof typeof TYPES

/** Records in presentation form; `silent`: no answer at all; `servfail`; `refused`: as these. */
type Records = readonly string[] | 'silent' | 'servfail' | 'refused'

const CODES = { noError: 0, servfail: 2, nxdomain: 3, refused: 5 } as const

/** Above it an answer over UDP is cut (RFC 1035, 4.2.1), and asked for again over TCP. */
const UDP_OCTETS = 512

export class DnsServer implements AsyncDisposable {
  /** For Resolver.setServers. */
  readonly address: string
  /** `name TYPE`, as asked, in order; over TCP once more. */
  readonly asked: string[] = []
  /** Whether nothing is answered any more. */
  silent = false
  readonly #zone = new Map<string, Records>()
  readonly #close: () => Promise<void>

  private constructor(port: number, close: () => Promise<void>) {
    this.address = `127.0.0.1:${port}`
    this.#close = close
  }

  /** On a port that is free for both. */
  static async open(zone: Readonly<Record<string, Records>> = {}): Promise<DnsServer> {
    const tcp = createServer()
    tcp.listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const { port } = tcp.address() as AddressInfo
    const udp = createSocket('udp4')
    udp.bind(port, '127.0.0.1')
    await once(udp, 'listening')
    const sockets = new Set<Socket>()
    const server = new DnsServer(port, async () => {
      udp.close()
      for (const socket of sockets) socket.destroy()
      tcp.close()
    })
    server.set(zone)
    udp.on('message', (query: Buffer, { port: to, address }: RemoteInfo) => {
      const answer = server.#answer(query)
      if (answer) udp.send(answer.length > UDP_OCTETS ? cut(answer, query) : answer, to, address)
    })
    tcp.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
      socket.on('data', (framed: Buffer) => {
        const answer = server.#answer(framed.subarray(2))
        if (!answer) return
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        socket.write(Buffer.concat([length, answer]))
      })
    })
    return server
  }

  /** By `name TYPE`. A name that has no record at all does not exist. */
  set(zone: Readonly<Record<string, Records>>): void {
    for (const [key, records] of Object.entries(zone)) this.#zone.set(key.toLowerCase(), records)
  }

  remove(key: string): void {
    this.#zone.delete(key.toLowerCase())
  }

  clear(): void {
    this.#zone.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }

  #answer(query: Buffer): Buffer | undefined {
    const { name, type, end } = questionOf(query)
    const key = `${name} ${Object.entries(TYPES).find(([, code]) => code === type)?.[0]}`
    this.asked.push(key)
    const found =
      this.#zone.get(key.toLowerCase()) ?? this.#zone.get(`${name.toLowerCase()} CNAME`.toLowerCase())
    if (this.silent || found === 'silent') return undefined
    if (found === 'servfail') return response(query, end, CODES.servfail, [])
    if (found === 'refused') return response(query, end, CODES.refused, [])
    if (!found) {
      const exists = [...this.#zone.keys()].some((each) => each.startsWith(`${name.toLowerCase()} `))
      return response(query, end, exists ? CODES.noError : CODES.nxdomain, [])
    }
    const alias = !this.#zone.has(key.toLowerCase())
    const answers = found.map((record) =>
      recordData(alias ? 'CNAME' : (key.split(' ')[1] as RecordType), record),
    )
    return response(query, end, CODES.noError, answers)
  }
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 }
}

interface RecordData {
  readonly type: RecordType
  readonly data: Buffer
}

function response(query: Buffer, end: number, code: number, answers: readonly RecordData[]): Buffer {
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  // Response, recursion desired and available.
  header.writeUInt16BE(0x8180 | code, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(answers.length, 6)
  const records = answers.map(({ type, data }) => {
    const head = Buffer.alloc(12)
    head.writeUInt16BE(0xc00c, 0)
    head.writeUInt16BE(TYPES[type], 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt32BE(300, 6)
    head.writeUInt16BE(data.length, 10)
    return Buffer.concat([head, data])
  })
  return Buffer.concat([header, query.subarray(12, end), ...records])
}

/** The header and the question, with TC set. */
function cut(answer: Buffer, query: Buffer): Buffer {
  const short = Buffer.from(answer.subarray(0, questionOf(query).end))
  short.writeUInt16BE(short.readUInt16BE(2) | 0x0200, 2)
  short.writeUInt16BE(0, 6)
  return short
}

function recordData(type: RecordType, record: string): RecordData {
  if (type === 'A') return { type, data: Buffer.from(record.split('.').map(Number)) }
  if (type === 'AAAA') return { type, data: addressData(record) }
  if (type === 'TXT') return { type, data: strings(record) }
  if (type === 'MX') {
    const [priority, exchange = ''] = record.split(' ')
    const head = Buffer.alloc(2)
    head.writeUInt16BE(Number(priority))
    return { type, data: Buffer.concat([head, nameData(exchange)]) }
  }
  return { type, data: nameData(record) }
}

/** Of eight groups, none left out. */
function addressData(address: string): Buffer {
  return Buffer.from(
    address
      .split(':')
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  )
}

/** In strings of 255 octets. */
function strings(text: string): Buffer {
  const pieces = text.match(/.{1,255}/gs) ?? ['']
  return Buffer.concat(
    pieces.map((piece) => Buffer.concat([Buffer.from([piece.length]), Buffer.from(piece, 'latin1')])),
  )
}

function nameData(name: string): Buffer {
  const labels = name.split('.').filter(Boolean)
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ])
}
