import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isOnPath } from '../support/programs.ts'

// Who drains a mailbox in the measurement: we, the rivals of Debian, and a client that only reads.

export type Protocol = 'imap' | 'pop3'

export interface Account {
  readonly port: number
  /** Of the mailboxes, all with the same password. */
  readonly users: readonly string[]
  readonly password: string
  /** File of the authority's certificate. */
  readonly ca: string
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Below the folder: where a file for each message is at the end. Undefined: it keeps none. */
  readonly keeps?: string
}

export interface Drainer {
  readonly name: string
  readonly protocol: Protocol
  readonly kind: 'limit' | 'ours' | 'dry-run' | 'rival'
  /** It asks for one message after the other: at a distance it takes minutes, and is measured once. */
  readonly slow?: boolean
  /** Why it cannot run here; undefined when it can. */
  missing(): string | undefined
  /** Everything that it writes is below the folder, which is empty. */
  command(folder: string, account: Account): Command
}

const CLI = fileURLToPath(new URL('../../functions/launch.mjs', import.meta.url))
const RAW = fileURLToPath(new URL('./raw-client.ts', import.meta.url))
const there = (): undefined => undefined

function limit(protocol: Protocol): Drainer {
  return {
    name: `raw ${protocol.toUpperCase()}`,
    protocol,
    kind: 'limit',
    missing: there,
    command: (_, { port, ca, users, password }) => ({
      program: process.execPath,
      args: [RAW, protocol, String(port), ca, password, ...users],
    }),
  }
}

function ours(protocol: Protocol, kind: 'ours' | 'dry-run'): Drainer {
  return {
    name: `mailsluice ${protocol.toUpperCase()}${kind === 'ours' ? '' : ' --dry-run'}`,
    protocol,
    kind,
    missing: there,
    command(folder, { port, ca, users, password }) {
      const common = { protocol, host: 'localhost', port, ca, credential: 'env:PASSWORD' }
      const mailboxes = users.map((user) => ({ id: user, user, ...common }))
      // JSON is YAML.
      writeFileSync(
        join(folder, 'mailsluice.yaml'),
        JSON.stringify({ queues: { default: 'mail-events' }, mailboxes }),
      )
      const dry = kind === 'dry-run' ? ['--dry-run'] : []
      return {
        program: process.execPath,
        args: [CLI, 'drain', '--json', '--local', ...dry],
        environment: { PASSWORD: password },
        ...(kind === 'ours' && { keeps: '.mailsluice/archive/raw' }),
      }
    },
  }
}

function rival(
  program: string,
  protocol: Protocol,
  command: (folder: string, account: Account) => Omit<Command, 'program' | 'keeps'>,
  slow = false,
): Drainer {
  return {
    name: `${program} ${protocol.toUpperCase()}`,
    protocol,
    kind: 'rival',
    slow,
    missing: () => (isOnPath(program) ? undefined : `${program} is not installed`),
    command(folder, account) {
      for (const user of program === 'mbsync' ? [] : account.users)
        for (const part of ['new', 'cur', 'tmp'])
          mkdirSync(join(folder, 'mail', user, part), { recursive: true })
      return { program, keeps: 'mail', ...command(folder, account) }
    },
  }
}

/** Writes a file that may hold a password, and returns its path. */
function settings(folder: string, lines: readonly string[], name = 'settings'): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
  return path
}

function mpop(folder: string, { port, ca, users, password }: Account) {
  const lines = users.flatMap((user) => [
    `account ${user}`,
    'host 127.0.0.1',
    `port ${port}`,
    'tls on',
    'tls_starttls off',
    `tls_trust_file ${ca}`,
    'tls_host_override localhost',
    'auth user',
    `user ${user}`,
    `password ${password}`,
    `delivery maildir ${folder}/mail/${user}`,
    `uidls_file ${folder}/uidls-${user}`,
    'keep on',
    'only_new off',
    'pipelining on',
  ])
  return { args: ['-C', settings(folder, lines), '-q', '-a'] }
}

function mbsync(folder: string, { port, ca, users, password }: Account) {
  mkdirSync(join(folder, 'mail'))
  const lines = users.flatMap((user) => [
    `IMAPAccount ${user}`,
    'Host localhost',
    `Port ${port}`,
    `User ${user}`,
    `Pass ${password}`,
    'SSLType IMAPS',
    `CertificateFile ${ca}`,
    'AuthMechs LOGIN',
    '',
    `IMAPStore far-${user}`,
    `Account ${user}`,
    '',
    `MaildirStore near-${user}`,
    `Path ${folder}/`,
    `Inbox ${folder}/mail/${user}`,
    '',
    `Channel ${user}`,
    `Far :far-${user}:`,
    `Near :near-${user}:`,
    'Patterns INBOX',
    'Create Near',
    'Sync PullNew',
    `SyncState ${folder}/state-${user}-`,
    '',
  ])
  return { args: ['-q', '-c', settings(folder, lines), '-a'] }
}

function fetchmail(protocol: Protocol) {
  return (folder: string, { port, ca, users, password }: Account) => {
    const file = settings(folder, [
      `poll 127.0.0.1 protocol ${protocol} port ${port}`,
      ...users.flatMap((user) => [
        `  user "${user}" password "${password}" ssl sslproto "TLS1.2+" sslcertck sslcertfile "${ca}" sslcommonname localhost`,
        `  keep fetchall mda "cat > ${folder}/mail/${user}/new/$$"`,
      ]),
    ])
    const own = ['--pidfile', join(folder, 'pid'), '--idfile', join(folder, 'ids')]
    return { args: ['-f', file, '--nodetach', '--nosyslog', '--silent', ...own] }
  }
}

function getmail(protocol: Protocol) {
  return (folder: string, { port, ca, users, password }: Account) => {
    const files = users.map((user) =>
      settings(
        folder,
        [
          '[retriever]',
          `type = Simple${protocol.toUpperCase()}SSLRetriever`,
          'server = localhost',
          `port = ${port}`,
          `username = ${user}`,
          `password = ${password}`,
          'timeout = 60',
          `ca_certs = ${ca}`,
          ...(protocol === 'imap' ? ['mailboxes = ("INBOX",)'] : []),
          '[destination]',
          'type = Maildir',
          `path = ${folder}/mail/${user}/`,
          '[options]',
          'read_all = true',
          'delete = false',
          'verbose = 0',
        ],
        `settings-${user}`,
      ),
    )
    return { args: ['--getmaildir', folder, ...files.flatMap((file) => ['--rcfile', file])] }
  }
}

export const DRAINERS: readonly Drainer[] = [
  limit('imap'),
  ours('imap', 'ours'),
  ours('imap', 'dry-run'),
  rival('mbsync', 'imap', mbsync),
  rival('fetchmail', 'imap', fetchmail('imap'), true),
  rival('getmail', 'imap', getmail('imap'), true),
  limit('pop3'),
  ours('pop3', 'ours'),
  ours('pop3', 'dry-run'),
  rival('mpop', 'pop3', mpop),
  rival('fetchmail', 'pop3', fetchmail('pop3'), true),
  rival('getmail', 'pop3', getmail('pop3'), true),
]
