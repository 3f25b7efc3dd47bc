import { matchesAnyGlob } from '../contract/glob.ts'
import type { Epoch, Uid, Uidl } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { memoryOctets } from '../octets.ts'
import type {
  Acknowledgement,
  AcknowledgementEffect,
  Fetched,
  Listing,
  MailboxSession,
  ServerId,
} from './mailbox.ts'

export interface StoredMessage {
  readonly id: ServerId
  readonly octets: Buffer
  readonly internalDate: Date
  readonly flags: Set<string>
}

interface Folder {
  epoch: number
  next: number
  messages: StoredMessage[]
}

export interface MemoryMailStoreOptions {
  readonly protocol: 'imap' | 'pop3'
  /** Folders to drain: globs. @default ['INBOX'] */
  readonly folders?: readonly string[]
  /** What a search on this server would find. @default no search */
  readonly selects?: ((message: StoredMessage) => boolean) | undefined
}

/**
 * A mail store that ends with the process, with the semantics of a server as far as a drain can tell: ids are never used twice under
 * one UIDVALIDITY, POP3 deletions count only when the session is closed. For tests, and for reading the port with something that works.
 */
export class MemoryMailStore {
  readonly #options: MemoryMailStoreOptions
  readonly #folders = new Map<string, Folder>()
  #nextEpoch = 1

  constructor(options: MemoryMailStoreOptions) {
    this.#options = options
    this.#folder('INBOX')
  }

  /** Delivers a message; returns its id. */
  deliver(octets: Buffer | string, folder = 'INBOX', internalDate: Date = new Date(0)): ServerId {
    const into = this.#folder(folder)
    const number = into.next++
    const id = this.#options.protocol === 'imap' ? (number as Uid) : (`uidl-${number}` as Uidl)
    into.messages.push({ id, octets: Buffer.from(octets), internalDate, flags: new Set() })
    return id
  }

  /** Makes the folder anew: the same messages, a new UIDVALIDITY, UIDs from 1. */
  recreate(folder = 'INBOX'): void {
    const old = this.#folder(folder).messages
    this.#folders.delete(folder)
    for (const { octets, internalDate } of old) this.deliver(octets, folder, internalDate)
  }

  messages(folder = 'INBOX'): readonly StoredMessage[] {
    return [...this.#folder(folder).messages]
  }

  /** Somebody else removes a message. */
  remove(id: ServerId, folder = 'INBOX'): void {
    const from = this.#folder(folder)
    from.messages = from.messages.filter((message) => message.id !== id)
  }

  async open(): Promise<MailboxSession> {
    return new MemorySession(this, this.#options)
  }

  epoch(folder: string): Epoch {
    return (this.#options.protocol === 'imap' ? `${this.#folder(folder).epoch}` : 'uidl') as Epoch
  }

  uidNext(folder: string): number | undefined {
    return this.#options.protocol === 'imap' ? this.#folder(folder).next : undefined
  }

  folderNames(): readonly string[] {
    return [...this.#folders.keys()]
  }

  #folder(name: string): Folder {
    let folder = this.#folders.get(name)
    if (!folder) {
      folder = { epoch: this.#nextEpoch++, next: 1, messages: [] }
      this.#folders.set(name, folder)
    }
    return folder
  }
}

class MemorySession implements MailboxSession {
  readonly protocol: 'imap' | 'pop3'
  readonly acknowledgedBy: 'acknowledge' | 'close'
  readonly server = {
    host: 'memory',
    port: 0,
    tls: 'none',
    certificateSha256: undefined,
    capabilities: [],
  }
  readonly #store: MemoryMailStore
  readonly #options: MemoryMailStoreOptions
  readonly #deleted = new Set<ServerId>()
  #open = true

  constructor(store: MemoryMailStore, options: MemoryMailStoreOptions) {
    this.#store = store
    this.#options = options
    this.protocol = options.protocol
    this.acknowledgedBy = options.protocol === 'imap' ? 'acknowledge' : 'close'
  }

  async folders(): Promise<readonly string[]> {
    this.#assertOpen()
    const globs = this.#options.folders ?? ['INBOX']
    return this.#store.folderNames().filter((name) => matchesAnyGlob(globs, [name]))
  }

  async status() {
    const folders = await this.folders()
    return folders.map((folder) => {
      const ids = this.#store.messages(folder).map(({ id }) => id)
      return {
        folder,
        epoch: this.#store.epoch(folder),
        messages: ids.length,
        uidNext: this.#store.uidNext(folder),
        ids: this.protocol === 'pop3' ? ids : undefined,
      }
    })
  }

  async list(folder: string): Promise<Listing> {
    this.#assertOpen()
    const messages = this.#store.messages(folder)
    const { selects } = this.#options
    return {
      folder,
      epoch: this.#store.epoch(folder),
      ids: messages.map(({ id }) => id),
      selected: selects && messages.filter(selects).map(({ id }) => id),
      uidNext: this.#store.uidNext(folder),
    }
  }

  async *fetch(
    listing: Listing,
    ids: readonly ServerId[],
    options: { readonly maxOctets: number; keepGoing(): boolean },
  ): AsyncGenerator<Fetched> {
    for (const id of ids) {
      this.#assertOpen()
      if (!options.keepGoing()) return
      const message = this.#store.messages(listing.folder).find((other) => other.id === id)
      const failed = (error: IngestError, announcedOctets?: number): Fetched => ({
        id,
        octets: undefined,
        error,
        announcedOctets,
      })
      if (!message) yield failed(new IngestError('MESSAGE_GONE', `${listing.folder} ${id}: it is gone`))
      else if (message.octets.length > options.maxOctets)
        yield failed(
          new IngestError('MESSAGE_TOO_LARGE', `${listing.folder} ${id}: ${message.octets.length} octets`),
          message.octets.length,
        )
      else
        yield {
          id,
          octets: memoryOctets(message.octets),
          announcedOctets: undefined,
          metadata:
            this.protocol === 'imap'
              ? { internalDate: message.internalDate.toISOString(), flags: [...message.flags] }
              : {},
        }
    }
  }

  async outstanding(listing: Listing, ids: readonly ServerId[], action: Acknowledgement) {
    this.#assertOpen()
    const listed = new Map(this.#store.messages(listing.folder).map((message) => [message.id, message]))
    return ids.filter((id) => {
      const message = listed.get(id)
      if (!message || this.#deleted.has(id)) return false
      if (action.kind === 'seen') return !message.flags.has('\\Seen')
      return action.kind !== 'flag' || !message.flags.has(action.keyword)
    })
  }

  async acknowledge(
    listing: Listing,
    ids: readonly ServerId[],
    action: Acknowledgement,
  ): Promise<AcknowledgementEffect> {
    this.#assertOpen()
    if (this.protocol === 'pop3') {
      if (action.kind !== 'delete')
        throw new IngestError('ACKNOWLEDGEMENT_REFUSED', `POP3 cannot ${action.kind} messages`)
      for (const id of ids) this.#deleted.add(id)
      return 'deleted'
    }
    for (const message of this.#store.messages(listing.folder)) {
      if (!ids.includes(message.id)) continue
      if (action.kind === 'seen') message.flags.add('\\Seen')
      else if (action.kind === 'flag') message.flags.add(action.keyword)
      else {
        this.#store.remove(message.id, listing.folder)
        if (action.kind === 'move') this.#store.deliver(message.octets, action.folder, message.internalDate)
      }
    }
    return ({ seen: 'seen', flag: 'flagged', move: 'moved', delete: 'deleted' } as const)[action.kind]
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    for (const id of this.#deleted) this.#store.remove(id)
  }

  abort(): void {
    this.#open = false
  }

  #assertOpen(): void {
    if (!this.#open) throw new IngestError('CONNECTION_LOST', 'memory: the session has ended')
  }
}
