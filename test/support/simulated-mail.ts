import type { MailboxConfig } from '../../shared/contract/config.ts'
import { matchesAnyGlob } from '../../shared/contract/glob.ts'
import type { Epoch, MailboxId } from '../../shared/contract/ids.ts'
import { type ErrorCode, IngestError } from '../../shared/errors.ts'
import type { FolderStatus } from '../../shared/mailbox/mailbox.ts'
import type { Watch, WatchListener } from '../../shared/mailbox/watch.ts'
import type { FastClock } from './fast-clock.ts'

interface Folder {
  uidValidity: number
  uidNext: number
  messages: number
}

interface Connection {
  readonly mailbox: MailboxId
  readonly listener: WatchListener
  folder: string | undefined
  idling: boolean
  /** Has stopped answering; neither side has hung up. */
  frozen: boolean
  open: boolean
}

/**
 * A mail server without sockets, as far as the watch port can tell, for as many mailboxes as asked: what takes no time there takes none
 * here, so that only the clock of the relay counts.
 */
export class SimulatedMail {
  canIdle = true
  tellsUidNext = true
  /** Every log-in is refused with it. */
  refuses: ErrorCode | undefined
  /** Hangs up after every log-in. */
  drops = false
  /** Does not tell what arrives. */
  mute = false
  /** Questions are neither answered nor given up before the connection is dropped. */
  stuck = false
  /** Times of the log-ins, also those refused, by mailbox. */
  readonly logIns = new Map<MailboxId, number[]>()
  /** What was asked, in its order: `SELECT INBOX`, `IDLE`, `NOOP`, `LOGOUT` … */
  readonly asked: string[] = []
  /** What the access token of each log-in allows. */
  sessionMs: number | undefined
  /** How long a log-in takes; without it, a turn of the event loop. */
  logInMs = 0
  /** How long a LOGOUT takes. */
  logOutMs = 0
  readonly #clock: FastClock
  readonly #folders = new Map<string, Folder>()
  readonly #names: string[]
  #connections: Connection[] = []
  #mostLoggingIn = 0
  #loggingIn = 0

  constructor(clock: FastClock, folders: readonly string[] = ['INBOX']) {
    this.#clock = clock
    this.#names = [...folders]
  }

  /** The relay's port. */
  async open(mailbox: MailboxConfig, listener: WatchListener, signal: AbortSignal): Promise<Watch> {
    this.#mostLoggingIn = Math.max(this.#mostLoggingIn, ++this.#loggingIn)
    this.logIns.set(mailbox.id, [...(this.logIns.get(mailbox.id) ?? []), this.#clock.nowMs()])
    await new Promise<void>((resolve) => {
      if (this.logInMs > 0) this.#clock.after(this.logInMs, resolve)
      else setImmediate(resolve)
    })
    this.#loggingIn--
    if (this.refuses) throw new IngestError(this.refuses, `${mailbox.id}: refused`)
    const connection = {
      mailbox: mailbox.id,
      listener,
      folder: undefined,
      idling: false,
      frozen: false,
      open: true,
    }
    this.#connections.push(connection)
    if (this.drops) setImmediate(() => this.#lose(connection))
    return this.#watch(mailbox, connection, signal)
  }

  /** Most log-ins that were under way at the same time. */
  get mostLoggingIn(): number {
    return this.#mostLoggingIn
  }

  get names(): string[] {
    return this.#names
  }

  deliver(mailbox: MailboxId, folder = 'INBOX', messages = 1): void {
    const into = this.#folder(mailbox, folder)
    into.messages += messages
    into.uidNext += messages
    this.#tell(mailbox, folder)
  }

  remove(mailbox: MailboxId, folder = 'INBOX'): void {
    this.#folder(mailbox, folder).messages--
    this.#tell(mailbox, folder)
  }

  recreate(mailbox: MailboxId, folder = 'INBOX'): void {
    const made = this.#folder(mailbox, folder)
    Object.assign(made, { uidValidity: made.uidValidity + 1, uidNext: made.messages + 1 })
  }

  /** Hangs up on everybody, or on the connections of a mailbox, or of one of its folders. */
  drop(mailbox?: MailboxId, folder?: string): void {
    for (const each of this.connections(mailbox))
      if (folder === undefined || each.folder === folder) this.#lose(each)
  }

  /** All connections stop answering, as when a middlebox has forgotten them. */
  freeze(): void {
    for (const each of this.#connections) each.frozen = true
  }

  endIdle(): void {
    for (const each of this.#connections)
      if (each.idling) {
        each.idling = false
        each.listener.idleEnded()
      }
  }

  connections(mailbox?: MailboxId): readonly Connection[] {
    return this.#connections.filter((each) => mailbox === undefined || each.mailbox === mailbox)
  }

  #watch(mailbox: MailboxConfig, connection: Connection, signal: AbortSignal): Watch {
    /** Who waits for an answer that does not come; they go on when the connection is dropped. */
    const left: (() => void)[] = []
    const ask = async (command: string): Promise<void> => {
      connection.idling = false
      this.asked.push(command)
      // What the deadline of a command is in the adapter: the clock of the relay has not to go on for it.
      if (this.stuck) await new Promise<void>((resolve) => left.push(resolve))
      if (connection.frozen) this.#lose(connection, 'TIMED_OUT')
      if (!connection.open) throw new IngestError('CONNECTION_LOST', `${mailbox.id}: gone`)
    }
    const canIdle = this.canIdle
    const hangUp = (): void => {
      connection.open = false
      for (const go of left) go()
      this.#connections = this.#connections.filter((each) => each !== connection)
    }
    signal.addEventListener('abort', hangUp)
    return {
      server: { host: mailbox.host, port: 993, tls: 'none', certificateSha256: undefined, capabilities: [] },
      sessionMs: this.sessionMs,
      canIdle,
      folders: async () => {
        await ask('LIST')
        return this.#names.filter((name) => matchesAnyGlob(mailbox.folders, [name]))
      },
      select: async (folder) => {
        await ask(`SELECT ${folder}`)
        if (!this.#names.includes(folder)) throw new IngestError('FOLDER_MISSING', folder)
        connection.folder = folder
        return this.#status(mailbox.id, folder)
      },
      status: async (folder) => {
        await ask(`STATUS ${folder}`)
        return this.#status(mailbox.id, folder)
      },
      idle: () => {
        this.asked.push('IDLE')
        connection.idling = true
      },
      prove: () => ask('NOOP'),
      close: async () => {
        if (this.stuck && connection.open) await new Promise<void>((resolve) => left.push(resolve))
        if (connection.open && !connection.frozen) this.asked.push('LOGOUT')
        if (this.logOutMs > 0) await new Promise<void>((resolve) => this.#clock.after(this.logOutMs, resolve))
        hangUp()
      },
      abort: hangUp,
    }
  }

  #lose(connection: Connection, code: ErrorCode = 'CONNECTION_LOST'): void {
    if (!connection.open) return
    connection.open = false
    this.#connections = this.#connections.filter((each) => each !== connection)
    connection.listener.lost(new IngestError(code, `${connection.mailbox}: lost`))
  }

  #tell(mailbox: MailboxId, folder: string): void {
    if (this.mute) return
    const { messages } = this.#folder(mailbox, folder)
    for (const each of this.connections(mailbox))
      if (each.idling && !each.frozen && each.folder === folder) each.listener.counted(messages)
  }

  #status(mailbox: MailboxId, folder: string): FolderStatus {
    const { uidValidity, uidNext, messages } = this.#folder(mailbox, folder)
    const epoch = String(uidValidity) as Epoch
    return { folder, epoch, messages, uidNext: this.tellsUidNext ? uidNext : undefined, ids: undefined }
  }

  #folder(mailbox: MailboxId, name: string): Folder {
    const key = `${mailbox} ${name}`
    const folder = this.#folders.get(key) ?? { uidValidity: 1, uidNext: 1, messages: 0 }
    this.#folders.set(key, folder)
    return folder
  }
}
