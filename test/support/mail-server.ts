import { once } from 'node:events'
import { chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'

// What the real mail servers of the interop tests have in common: users with one password, and Maildirs as files.

/** A private server on this machine with a folder of its own; `stop` it, and nothing of it is left. */
export interface MailServer {
  readonly name: string
  /** `127.0.0.1`; the certificate also holds for `localhost`, the name to use with TLS. */
  readonly host: string
  readonly ports: {
    readonly imap: number
    readonly imaps: number
    readonly pop3: number
    readonly pop3s: number
  }
  /** PEM of the authority of its certificate. */
  readonly ca: string
  /** That of every user; any user name will do, and has an empty mailbox until something is put into it. */
  readonly password: string
  /** What stands before the names of personal folders, e.g. `INBOX.`; empty where nothing does. */
  readonly folderPrefix: string
  /** The Maildir of a folder, INBOX by default; `/` separates levels. It need not exist. */
  maildir(user: string, folder?: string): string
  /** Puts messages into a folder as a delivery does, and makes it if need be; in this order by file name. */
  put(user: string, folder: string, messages: readonly (Buffer | string | MaildirMessage)[]): Promise<void>
  /** Removes a folder with its messages and its UIDVALIDITY. */
  remove(user: string, folder: string): Promise<void>
  /** Names of the message files of a folder, `new` and `cur`, ascending. */
  files(user: string, folder?: string): Promise<readonly string[]>
  /** What the server has logged, for messages of failed tests. */
  log(): string
  stop(): Promise<void>
}

export interface MaildirMessage {
  readonly octets: Buffer | string | AsyncIterable<Buffer>
  /** Letters of Maildir: S (seen), T (deleted), F (flagged), R, D. */
  readonly flags?: string
  /** Seconds since 1970 in the file name, by which servers number what they have not seen yet. @default one later than the message before */
  readonly deliveredAt?: number
}

/** Every file and folder that is made belongs to `owner`, when there is one. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Path of a Maildir++ folder below the Maildir that is INBOX. */
export function maildirPath(inbox: string, folder: string): string {
  return folder.toUpperCase() === 'INBOX' ? inbox : join(inbox, `.${folder.replaceAll('/', '.')}`)
}

let written = 0

/** Delivers into `<home>/Maildir`, making what is not there; the time in the file name keeps the order of delivery. */
export async function deliver(
  home: string,
  folder: string,
  messages: readonly (Buffer | string | MaildirMessage)[],
  owner: Owner | undefined,
): Promise<void> {
  const inbox = join(home, 'Maildir')
  const maildir = maildirPath(inbox, folder)
  for (const path of [home, inbox, maildir, ...['tmp', 'new', 'cur'].map((name) => join(maildir, name))])
    await makeFolder(path, owner)
  for (const message of messages) {
    const {
      octets,
      flags = '',
      deliveredAt = 1_700_000_000 + written,
    } = typeof message === 'string' || Buffer.isBuffer(message) ? { octets: message } : message
    const name = `${deliveredAt}.M${String(written++).padStart(6, '0')}.test`
    const temporary = join(maildir, 'tmp', name)
    await writeFile(temporary, octets)
    if (owner) await chown(temporary, owner.uid, owner.gid)
    await rename(temporary, join(maildir, 'cur', `${name}:2,${[...flags].sort().join('')}`))
  }
}

/** Names of the message files, ascending; empty when the folder is not there. */
export async function maildirFiles(maildir: string): Promise<readonly string[]> {
  const lists = await Promise.all(
    ['new', 'cur'].map((name) => readdir(join(maildir, name)).catch((): string[] => [])),
  )
  return lists.flat().sort()
}

/** Free ports of the loopback interface, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** Removes a folder though a process that is ending may still write into it. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}

async function makeFolder(path: string, owner: Owner | undefined): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 })
  if (made && owner) await chown(path, owner.uid, owner.gid)
}
