import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mailboxOpener } from '../../functions/compose.ts'
import { openLocalStores } from '../../functions/local-stores.ts'
import type { Stores } from '../../functions/stores.ts'
import type { Archive } from '../../shared/archive/archive.ts'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { Event } from '../../shared/contract/event.ts'
import type { Sha256 } from '../../shared/contract/ids.ts'
import type { Credentials } from '../../shared/credentials/credentials.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import { never } from '../../shared/deadline.ts'
import type { DrainOptions } from '../../shared/drain/ports.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { drain } from '../../shared/drain.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import type { Verification } from '../../shared/ledger/verify.ts'
import { openSpool } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { mailboxConfig, QUEUES } from './drain-world.ts'
import { type MailServer, removeFolder } from './mail-server.ts'
import { archivedOctets, assertLedgerVerifies, ledgerEntries, takeEvents } from './stores.ts'

export interface LocalDrainOptions {
  readonly transcript?: (line: string) => void
  /** @default the password of the server */
  readonly credentials?: Pick<Credentials, 'login'>
}

/**
 * Drains of one account through the adapters that the command line uses: a mail server over TLS, and archive, state and queues as files
 * of one folder. The mailbox has one id whichever protocol and settings it is drained by. `close` it.
 */
export class LocalWorld {
  readonly #server: MailServer
  readonly #user: string
  readonly #folder: string
  readonly #stores: Stores

  private constructor(server: MailServer, user: string, folder: string, stores: Stores) {
    this.#server = server
    this.#user = user
    this.#folder = folder
    this.#stores = stores
  }

  static async open(server: MailServer, user: string): Promise<LocalWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-world-'))
    return new LocalWorld(server, user, folder, openLocalStores({ queues: QUEUES }, folder))
  }

  get password(): string {
    return this.#server.password
  }

  /** PEM of the authority of the server's certificate. */
  get ca(): string {
    return this.#server.ca
  }

  get archive(): Archive {
    return this.#stores.archive
  }

  mailbox(settings: Record<string, unknown> = {}): MailboxConfig {
    const protocol = settings.protocol === 'pop3' ? 'pop3' : 'imap'
    const port = this.#server.ports[`${protocol}s`]
    const account = { host: 'localhost', port, ca: 'ca.pem', user: this.#user, credential: 'env:PASSWORD' }
    return mailboxConfig({ protocol, ...account, ...settings })
  }

  /** Once. `transcript` gets the conversation with the mail server. */
  async drain(
    settings: Record<string, unknown> = {},
    { transcript, credentials: own, ...options }: Partial<DrainOptions> & LocalDrainOptions = {},
  ): Promise<DrainReport> {
    const mailbox = this.mailbox(settings)
    const environment = { PASSWORD: this.#server.password }
    const credentials = own ?? openCredentials({ environment, folder: this.#folder })
    const authorities = { 'ca.pem': this.#server.ca }
    const openMailbox = mailboxOpener(mailbox, { credentials, authorities, transcript })
    const parser = openWorkerParser()
    const spool = openSpool()
    const ports = { ...this.#stores, parser, spool, openMailbox }
    try {
      return await drain({ mailbox, routes: [] }, ports, { deadline: never, ...options })
    } finally {
      await spool.close()
      await parser.close()
    }
  }

  takeEvents(): Promise<Event[]> {
    return takeEvents(this.#stores.queues)
  }

  /** Events in the queue. */
  async waiting(): Promise<number> {
    return (await this.#stores.queues.check('default')).approximateMessages
  }

  entries(): Promise<Entry[]> {
    return ledgerEntries(this.mailbox().id, this.#stores.archive)
  }

  archived(digest: Sha256): Promise<Buffer> {
    return archivedOctets(this.mailbox().id, digest, this.#stores.archive)
  }

  verify(): Promise<Verification> {
    return assertLedgerVerifies(this.mailbox().id, this.#stores.archive)
  }

  async close(): Promise<void> {
    await this.#stores.close()
    await removeFolder(this.#folder)
  }
}
