import { connect as connectNet, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { IngestError } from '../errors.ts'
import type { POP3 } from '../limits.ts'
import { connectionErrorCode, LOOPBACK, printable } from './connection-errors.ts'
import type { MailboxAccess } from './mailbox.ts'
import { END_OF_BODY, Pop3Wire, parseStatus, type Status } from './pop3-wire.ts'
import { ReadAhead } from './read-ahead.ts'
import { sessionCode } from './session-end.ts'
import { bareHost, tlsOptions } from './tls.ts'

/** A record of TLS has no more (RFC 8446, 5.1). */
const RECORD_OCTETS = 16 * 1024

/** The bounds of limits.ts; an argument, so that a test need not wait a minute. */
export type Pop3Limits = { readonly [Name in keyof typeof POP3]: number }

/**
 * A socket that speaks POP3: commands out, answers in, one after the other. Little is read ahead of who asks for it, so that a slow reader
 * slows the server down. Every method rejects with an IngestError of scope session or mailbox, and the connection is of no use then. Two clocks run while it waits: silence (`idleMs`), and all waiting for one answer (`allow`).
 */
export class Pop3Connection {
  /** `pop.example.com (invoices@example.com)`: begins every message. */
  readonly where: string
  /** Of the access token, once signed in with it. */
  tokenEndsAt: Date | undefined
  readonly #limits: Pop3Limits
  readonly #transcript: ((line: string) => void) | undefined
  #socket: Socket
  #wire: Pop3Wire
  #failure: Error | undefined
  #ended = false
  #wake: (() => void) | undefined
  #unlisten: () => void = () => {}
  readonly #arrived = new ReadAhead()
  #waking: NodeJS.Immediate | undefined
  /** Waiting that is left for the answer at hand. */
  #allowedMs = Infinity
  /** Sent with the next command. */
  #along = ''
  #alongUnanswered = 0

  private constructor(where: string, socket: Socket, limits: Pop3Limits, access: MailboxAccess) {
    this.where = where
    this.#limits = limits
    this.#transcript = access.transcript
    this.#wire = new Pop3Wire(limits.lineOctets)
    this.#socket = socket
    this.#listen(socket)
    const { signal } = access
    const drop = (): void => this.destroy()
    if (signal?.aborted) drop()
    signal?.addEventListener('abort', drop)
    socket.once('close', () => signal?.removeEventListener('abort', drop))
  }

  /** Connects, and with `tls: implicit` shakes hands. The greeting is the first status. */
  static async open(access: MailboxAccess, limits: Pop3Limits): Promise<Pop3Connection> {
    const { host, port, tls } = access
    const where = `${host} (${access.user})`
    if (tls === 'none' && !LOOPBACK.test(host))
      throw new IngestError(
        'TLS_UNAVAILABLE',
        `${where}: a log-in in clear is allowed to a loopback host only`,
      )
    const address = { host: bareHost(host), port }
    let take: (octets: Buffer) => void = () => {}
    const socket =
      tls === 'implicit'
        ? connectTls({ port, ...tlsOptions(access), ...intoOneBuffer((octets) => take(octets)) })
        : connectNet(address)
    const connection = new Pop3Connection(where, socket, limits, access)
    take = (octets) => connection.#take(octets)
    await connection.#until(tls === 'implicit' ? 'secureConnect' : 'connect', 'connecting')
    socket.setNoDelay(true)
    socket.setKeepAlive(true, limits.idleMs)
    return connection
  }

  /** `none` without TLS. */
  get tls(): string {
    return this.#socket instanceof TLSSocket ? (this.#socket.getProtocol() ?? 'TLS') : 'none'
  }

  get certificateSha256(): string | undefined {
    if (!(this.#socket instanceof TLSSocket)) return undefined
    return this.#socket.getPeerCertificate().fingerprint256?.replaceAll(':', '').toLowerCase()
  }

  /** Shakes hands on a connection in clear (STLS, RFC 2595, 4), after the server's +OK. */
  async startTls(access: MailboxAccess): Promise<void> {
    // Whoever sits on the path could have written this into the stream; under TLS it would be taken for the server's word.
    if (this.#wire.buffered > 0 || this.#arrived.octets > 0 || this.#socket.readableLength > 0)
      throw this.error('PROTOCOL_VIOLATION', 'STLS: the server sent octets in clear before the handshake')
    const plain = this.#socket
    this.#unlisten()
    this.#wire = new Pop3Wire(this.#limits.lineOctets)
    this.#socket = connectTls({ socket: plain, ...tlsOptions(access) })
    this.#listen(this.#socket)
    await this.#until('secureConnect', 'STLS')
  }

  /** Sends command lines. `shown` stands for them in the transcript when they hold a secret. */
  send(lines: string, shown: string = lines): void {
    if (this.#transcript) for (const line of shown.trimEnd().split('\r\n')) this.#transcript(`C: ${line}`)
    // What cannot be sent any more is told by the answer that does not come.
    if (this.#socket.writable) this.#socket.write(this.#along + lines, 'utf8')
    this.#along = ''
  }

  /** A command that goes with the next one, to a server that takes several at once; what it is answered with does not matter. */
  sendAlong(line: string): void {
    this.#transcript?.(`C: ${line.trimEnd()}`)
    this.#along += line
    this.#alongUnanswered++
  }

  /** Waiting for the next answer may take `commandMs` in all, and longer for its octets. */
  allow(octets = 0): void {
    this.#allowedMs = this.#limits.commandMs + (octets / this.#limits.slowestOctetsPerSecond) * 1000
  }

  /** The next line, whatever it is. */
  async line(doing: string): Promise<string> {
    for (; this.#alongUnanswered > 0; this.#alongUnanswered--) await this.#line(doing)
    return this.#line(doing)
  }

  async #line(doing: string): Promise<string> {
    while (true) {
      const line = this.#translated(doing, () => this.#wire.line())
      if (line !== undefined) {
        this.#transcript?.(`S: ${printable(line)}`)
        return line
      }
      await this.#receive(doing)
    }
  }

  async status(doing: string): Promise<Status> {
    const line = await this.line(doing)
    const status = parseStatus(line)
    if (!status)
      throw this.error(
        'PROTOCOL_VIOLATION',
        `${doing}: the server answered neither +OK nor -ERR: ${printable(line)}`,
      )
    return status
  }

  /** Sends one command and waits for its status. */
  command(lines: string, doing: string, shown?: string): Promise<Status> {
    this.allow()
    this.send(lines, shown)
    return this.status(doing)
  }

  /**
   * The octets of a multi-line answer, as they come; each piece is lent until the next one is asked for. Take it to its end, or end the
   * connection: what is left would be taken for the next answer. It fails (and never ends) when the connection ends before the body does.
   */
  async *body(doing: string): AsyncGenerator<Buffer> {
    this.#wire.beginBody()
    while (true) {
      const octets = this.#wire.body()
      if (octets === END_OF_BODY) return
      if (octets) yield octets
      else await this.#receive(doing)
    }
  }

  /** A multi-line answer as text. Rejects with PROTOCOL_VIOLATION when it has more than `listOctets`. */
  async text(doing: string): Promise<string> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of this.body(doing)) {
      length += chunk.length
      if (length > this.#limits.listOctets)
        throw this.error(
          'PROTOCOL_VIOLATION',
          `${doing}: an answer of more than ${this.#limits.listOctets} octets`,
        )
      chunks.push(Buffer.from(chunk))
    }
    return Buffer.concat(chunks, length).toString('latin1')
  }

  error(code: ConstructorParameters<typeof IngestError>[0], what: string, cause?: unknown): IngestError {
    return new IngestError(sessionCode(code, this.tokenEndsAt), `${this.where}: ${what}`, { cause })
  }

  /** Drops the connection, and what has arrived on it. Never throws. */
  destroy(): void {
    this.#ended = true
    this.#arrived.take()
    this.#wire = new Pop3Wire(this.#limits.lineOctets)
    this.#socket.destroy()
    this.#wake?.()
  }

  #listen(socket: Socket): void {
    const take = (octets: Buffer): void => this.#take(octets)
    const end = (): void => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('data', take).on('end', end).on('close', end)
    this.#unlisten = () => socket.off('data', take).off('end', end).off('close', end)
    // This listener stays for as long as the socket: an error without one would end the process.
    socket.on('error', (error) => {
      this.#failure ??= error
      this.#wake?.()
    })
  }

  #take(octets: Buffer): void {
    this.#arrived.add(octets)
    if (this.#arrived.full) this.#socket.pause()
    // Many records come out of one read of the socket: who waits is woken for all of them.
    if (this.#wake)
      this.#waking ??= setImmediate(() => {
        this.#waking = undefined
        this.#wake?.()
      })
  }

  async #receive(doing: string): Promise<void> {
    while (true) {
      const octets = this.#arrived.take()
      if (octets) {
        this.#wire.push(octets)
        this.#socket.resume()
        return
      }
      if (this.#failure) throw this.#translate(this.#failure, doing)
      if (this.#ended)
        throw this.error(
          'CONNECTION_LOST',
          `${doing}: the server closed the connection in the middle of its answer`,
        )
      await this.#wait(doing)
    }
  }

  /** Until something happens on the socket, or a clock has run out. */
  async #wait(doing: string): Promise<void> {
    const { idleMs } = this.#limits
    const mostMs = Math.min(idleMs, this.#allowedMs)
    const startedMs = performance.now()
    let timer: NodeJS.Timeout | undefined
    const outcome = await new Promise<'woken' | 'timeout'>((resolve) => {
      this.#wake = () => resolve('woken')
      timer = setTimeout(() => resolve('timeout'), mostMs)
    })
    clearTimeout(timer)
    this.#wake = undefined
    this.#allowedMs -= performance.now() - startedMs
    if (outcome === 'woken') return
    this.destroy()
    throw this.error(
      'TIMED_OUT',
      mostMs === idleMs
        ? `${doing}: nothing received for ${idleMs} ms`
        : `${doing}: the answer took too long in all`,
    )
  }

  async #until(event: 'connect' | 'secureConnect', doing: string): Promise<void> {
    let there = false
    this.#socket.once(event, () => {
      there = true
      this.#wake?.()
    })
    this.#allowedMs = this.#limits.connectMs
    while (!there) {
      if (this.#failure) throw this.#translate(this.#failure, doing)
      if (this.#ended) throw this.error('CONNECTION_FAILED', `${doing}: the server closed the connection`)
      await this.#wait(doing)
    }
  }

  #translated<T>(doing: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw error instanceof IngestError ? this.error(error.code, `${doing}: ${error.message}`, error) : error
    }
  }

  /** A failure of the socket; one that is not of a connection is a defect and stays what it is. */
  #translate(error: Error, doing: string): Error {
    const code =
      'code' in error && typeof error.code === 'string' ? connectionErrorCode(error.code) : undefined
    return code ? this.error(code, `${doing}: ${printable(error.message)}`, error) : error
  }
}

/** Node reads into the same memory each time instead of making a Buffer for each record of TLS: thousands a second. What `take` gets is lent to it. */
function intoOneBuffer(take: (octets: Buffer) => void): { onread: OnReadOpts } {
  const buffer = Buffer.allocUnsafeSlow(RECORD_OCTETS)
  const callback = (octets: number): boolean => {
    take(buffer.subarray(0, octets))
    return true
  }
  return { onread: { buffer, callback } }
}
