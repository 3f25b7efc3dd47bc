import type { IngestError } from '../errors.ts'
import { printable } from './connection-errors.ts'
import { type Completion, completionOf, refusalOf, tagOf } from './imap-completion.ts'
import type { ImapConnection } from './imap-connection.ts'
import { type FetchRow, isFetchRow } from './imap-fetch-row.ts'
import { ImapReader, type Line } from './imap-reader.ts'
import type { Surrounding, TakenSocket } from './imap-taken-socket.ts'

// Commands of ours on imapflow's socket, all sent at once (RFC 9051, 5.5), alone or around one of imapflow's own. What is no answer to them
// goes to imapflow.

export interface Untagged {
  row?(row: FetchRow): void
  /** The numbers of `* SEARCH`, which may come in several. */
  found?(numbers: readonly number[]): void
  /** Each other response of one line; imapflow gets it, too. */
  said?(line: string): void
}

/** Commands in the same flight as one of imapflow's. */
export interface Along {
  /** Sent before it; whether they are refused does not matter. */
  readonly before?: readonly string[]
  /** Sent after it, which may hold no literal, and of no effect where it fails. Rows and numbers are theirs. */
  readonly behind?: readonly string[]
  readonly untagged?: Untagged
  /** For each of `behind` undefined, or why it was refused. */
  answered?(refused: Refusals): void
}

type Refusals = readonly (IngestError | undefined)[]

const SEARCH = /^\* SEARCH(?= |$)/i

/**
 * Sends commands and reads what they are answered with. For each one undefined, or why it was refused; rejects with what concerns the session
 * or the mailbox, and the connection is of no use then.
 */
export async function exchange(
  connection: ImapConnection,
  commands: readonly string[],
  untagged: Untagged,
): Promise<Refusals> {
  const flight = new Flight(connection, await connection.takeSocket(), { behind: commands, untagged })
  await flight.fly()
  return flight.refusals()
}

/** Does `work`, and sends the others around the first command that it makes imapflow send. Rejects as `exchange` does, and as the work does. */
export async function runAlong<T>(
  connection: ImapConnection,
  doing: string,
  work: () => Promise<T>,
  along: readonly Along[],
): Promise<T> {
  const flight = new Flight(connection, await connection.takeSocket(), {
    before: along.flatMap(({ before = [] }) => before),
    behind: along.flatMap(({ behind = [] }) => behind),
    untagged: {
      row(row) {
        for (const { untagged } of along) untagged?.row?.(row)
      },
      found(numbers) {
        for (const { untagged } of along) untagged?.found?.(numbers)
      },
      said(line) {
        for (const { untagged } of along) untagged?.said?.(line)
      },
    },
  })
  const working = flight.begin(doing, work)
  // Met below; what fails first must not leave it unhandled.
  working.catch(() => undefined)
  await flight.fly(working)
  const answer = await working
  const refused = flight.refusals()
  for (const { behind, answered } of along) if (behind) answered?.(refused)
  return answer
}

class Flight {
  readonly #connection: ImapConnection
  readonly #socket: TakenSocket
  readonly #reader: ImapReader
  readonly #untagged: Untagged
  /** Commands by tag. */
  readonly #before: ReadonlyMap<string, string>
  readonly #behind: ReadonlyMap<string, string>
  /** Sent and not answered. */
  readonly #open = new Map<string, string>()
  readonly #completed = new Map<string, Completion>()
  #surrounding: Surrounding | undefined
  /** What imapflow does. */
  #doing = ''
  /** Imapflow awaits the answer to a command. */
  #asked = false
  #behindSent = false

  constructor(
    connection: ImapConnection,
    socket: TakenSocket,
    { before = [], behind = [], untagged = {} }: Along,
  ) {
    this.#connection = connection
    this.#socket = socket
    this.#reader = new ImapReader(connection, socket, connection.limits)
    this.#untagged = untagged
    const tagged = [...before, ...behind].map((command, index) => [tagOf(index + 1), command] as const)
    this.#before = new Map(tagged.slice(0, before.length))
    this.#behind = new Map(tagged.slice(before.length))
  }

  begin<T>(doing: string, work: () => Promise<T>): Promise<T> {
    this.#doing = doing
    this.#surrounding = this.#socket.surround(linesOf(this.#before), linesOf(this.#behind))
    this.#sent(this.#before)
    return work()
  }

  /** Until all is answered; the socket is imapflow's again then. */
  async fly(working?: Promise<unknown>): Promise<void> {
    try {
      if (working && this.#surrounding) await this.#written(working, this.#surrounding)
      while (true) {
        if (!this.#asked && !this.#behindSent) {
          this.#sent(this.#behind)
          this.#socket.write(linesOf(this.#behind))
          this.#behindSent = true
        }
        if (!this.#asked && this.#open.size === 0) return
        await this.#completion()
      }
    } finally {
      if (this.#open.size > 0 || this.#asked || this.#socket.ended) this.#connection.abort()
      else this.#socket.giveBack(this.#reader.rest())
    }
  }

  /** Of what was sent behind. Throws what concerns the session or the mailbox. */
  refusals(): Refusals {
    return [...this.#behind].map(([tag, command]) => {
      const completion = this.#completed.get(tag)
      return completion && refusalOf(completion, command, this.#connection, this.#reader)
    })
  }

  async #written(working: Promise<unknown>, { written, cancel }: Surrounding): Promise<void> {
    this.#asked = await Promise.race([written.then(() => true), working.then(() => false)])
    if (this.#asked) {
      this.#sent(this.#behind)
      this.#behindSent = true
      return
    }
    cancel()
    this.#socket.write(linesOf(this.#before))
  }

  #sent(commands: ReadonlyMap<string, string>): void {
    for (const [tag, command] of commands) {
      this.#connection.transcript?.(`C: ${tag} ${command}`)
      this.#open.set(tag, command)
    }
  }

  /** Reads to the end of a command, ours or imapflow's. */
  async #completion(): Promise<void> {
    const [[first, command] = ['', '']] = this.#open
    const ours = command.split(' ').slice(0, 2).join(' ')
    this.#reader.doing = this.#asked && !this.#before.has(first) ? this.#doing : ours
    this.#reader.allow(0)
    while (true) {
      const line = await this.#reader.line()
      if (line.text.startsWith('* ')) {
        await this.#response(line)
        continue
      }
      const completion = completionOf(line.text)
      const tag = completion?.tag ?? (this.#asked && !this.#before.has(first) ? '' : first)
      if (completion && this.#open.delete(tag)) {
        await this.#reader.skipRest(line)
        this.#connection.transcript?.(`S: ${printable(line.text)}`)
        this.#completed.set(tag, completion)
        return
      }
      // Without work of imapflow's it is no answer to anything that was asked.
      if (!this.#surrounding) {
        await this.#reader.skipRest(line)
        continue
      }
      await this.#reader.passOn(line)
      if (!this.#asked || !/^(\S+ )?(OK|NO|BAD|BYE)\b/i.test(line.text)) continue
      this.#asked = false
      return
    }
  }

  async #response(line: Line): Promise<void> {
    const { row, found, said } = this.#untagged
    const short = line.literalOctets === undefined
    if (!this.#asked && row && isFetchRow(line.text)) {
      const read = await this.#reader.row(line)
      if (read) row(read)
    } else if (!this.#asked && found && short && SEARCH.test(line.text)) {
      found(line.text.match(/(?<= )\d{1,10}(?= |$)/g)?.map(Number) ?? [])
    } else {
      if (short) said?.(line.text)
      await this.#reader.passOn(line)
    }
  }
}

function linesOf(commands: ReadonlyMap<string, string>): string {
  return [...commands].map(([tag, command]) => `${tag} ${command}\r\n`).join('')
}
