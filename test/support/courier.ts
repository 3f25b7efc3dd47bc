import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeAuthority } from './certificates.ts'
import { deliver, type MailServer, maildirFiles, maildirPath, removeFolder } from './mail-server.ts'

// Courier IMAP and POP3 from unpacked Debian packages (they conflict with Dovecot's). We do what its tcpd and its authdaemon
// would: listen, start one process for each connection, and say who may sign in.

const PASSWORD = 'correct-horse-battery'

/** As in install-mail-servers.sh. */
const ROOT = join(
  process.env.MAILSLUICE_ENGINES ??
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mailsluice-engines'),
  'courier',
)

const COURIERTLS = join(ROOT, 'usr/bin/couriertls')
const PROGRAMS = join(ROOT, 'usr/lib/courier/courier')
const OVER_TLS = [COURIERTLS, '-server', '-tcpd']

/** Debian's defaults (/etc/courier/imapd). */
const IMAP_CAPABILITY =
  'IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE'

/** Why there is no Courier to be had; undefined when there is. */
export function available(): string | undefined {
  try {
    accessSync(COURIERTLS, constants.X_OK)
    return undefined
  } catch {
    return `courier is not in ${ROOT}: run test/interop/install-mail-servers.sh`
  }
}

export async function startCourier(): Promise<MailServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-courier-'))
  await chmod(folder, 0o755)
  const authority = makeAuthority()
  const { keyPem, certPem } = authority.issue({ names: ['localhost', '127.0.0.1'] })
  const certificate = join(folder, 'cert.pem')
  await writeFile(certificate, keyPem + certPem, { mode: 0o600 })

  const home = (user: string): string => join(folder, 'mail', encodeURIComponent(user))
  const accounts = createServer((socket) => answerLogin(socket, home))
  const own = (name: string): string => join(folder, name)
  await adapt(join(ROOT, 'usr/lib', AUTH_LIBRARY), own(AUTH_LIBRARY), AUTH_SOCKET_BUILT_IN, AUTH_SOCKET)
  for (const program of ['imaplogin', 'courierpop3login'])
    await adapt(join(PROGRAMS, program), own(program), USER_BUILT_IN, userInfo().username)
  const imap = [own('imaplogin'), join(ROOT, 'usr/bin/imapd'), 'Maildir']
  const pop3 = [own('courierpop3login'), join(PROGRAMS, 'courierpop3d'), 'Maildir']
  accounts.listen(join(folder, AUTH_SOCKET))
  await once(accounts, 'listening')

  // Before anything else imapd looks for gamin, which watches folders, and tries for seconds to start that daemon.
  // Without locks and IDLE it never asks it anything.
  const watchers = randomUUID()
  const watcher = createServer((socket) => socket.on('error', () => {}).resume())
  // An abstract name, filled up as gamin's library does.
  watcher.listen(`\0/tmp/fam-${userInfo().username}-${watchers}`.padEnd(108, '\0'))
  await once(watcher, 'listening')
  const environment = {
    PATH: '/usr/bin:/bin',
    LD_LIBRARY_PATH: [
      folder,
      ...['usr/lib', 'usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map((path) => join(ROOT, path)),
    ].join(':'),
    COURIERTLS,
    TLS_CERTFILE: certificate,
    TLS_VERIFYPEER: 'NONE',
    IMAP_CAPABILITY,
    IMAP_CAPABILITY_TLS: `${IMAP_CAPABILITY} AUTH=PLAIN`,
    IMAP_KEYWORDS: '1',
    IMAP_ACL: '1',
    IMAP_USELOCKS: '0',
    GAM_CLIENT_ID: watchers,
    IMAP_MAILBOX_SANITY_CHECK: '1',
    IMAP_TRASHFOLDERNAME: 'Trash',
    POP3AUTH_TLS: 'LOGIN PLAIN',
  }
  const offersTls = { IMAP_STARTTLS: 'YES', POP3_STARTTLS: 'YES' }
  const isTls = { IMAP_TLS: '1', POP3_TLS: '1' }
  const running = new Set<ChildProcess>()
  let log = ''
  async function serve(command: readonly string[], more: Record<string, string>): Promise<Server> {
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      const process = startProcess(command, socket, folder, { ...environment, ...more })
      running.add(process)
      process.stderr?.on('data', (text) => {
        log = `${log}${text}`.slice(-100_000)
      })
      process.once('exit', () => running.delete(process))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }
  const listeners = {
    imap: await serve(imap, offersTls),
    imaps: await serve([...OVER_TLS, ...imap], isTls),
    pop3: await serve(pop3, offersTls),
    pop3s: await serve([...OVER_TLS, ...pop3], isTls),
  }
  const portOf = (server: Server): number => (server.address() as AddressInfo).port

  return {
    name: 'Courier',
    host: '127.0.0.1',
    ports: {
      imap: portOf(listeners.imap),
      imaps: portOf(listeners.imaps),
      pop3: portOf(listeners.pop3),
      pop3s: portOf(listeners.pop3s),
    },
    ca: authority.caPem,
    password: PASSWORD,
    folderPrefix: 'INBOX.',
    maildir: (user, name = 'INBOX') => maildirPath(join(home(user), 'Maildir'), name),
    put: (user, name, messages) => deliver(home(user), name, messages, undefined),
    async remove(user, name) {
      await removeFolder(maildirPath(join(home(user), 'Maildir'), name))
      // Its UIDVALIDITY is the second in which a folder is first opened.
      await sleep(1000 - (Date.now() % 1000))
    },
    files: (user, name = 'INBOX') => maildirFiles(maildirPath(join(home(user), 'Maildir'), name)),
    log: () => log,
    async stop() {
      for (const server of [...Object.values(listeners), accounts, watcher]) server.close()
      await Promise.all([...running].map(ended))
      await removeFolder(folder)
    },
  }
}

/** Its standard input and output are the connection, as under inetd; a process group of its own, for it has children. */
function startProcess(
  [command = '', ...args]: readonly string[],
  socket: Socket,
  cwd: string,
  env: Record<string, string>,
): ChildProcess {
  const child = spawn(command, args, {
    cwd,
    detached: true,
    env: {
      ...env,
      TCPLOCALIP: socket.localAddress ?? '',
      TCPLOCALPORT: String(socket.localPort),
      TCPREMOTEIP: socket.remoteAddress ?? '',
      TCPREMOTEPORT: String(socket.remotePort),
    },
    stdio: [socket, socket, 'pipe'],
  })
  // The process has it now.
  child.once('spawn', () => socket.destroy())
  return child
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exit = once(child, 'exit')
  process.kill(-child.pid, 'SIGKILL')
  await exit
}

const AUTH_LIBRARY = 'libcourierauth.so.0'
const AUTH_SOCKET_BUILT_IN = /\0\/(?:var\/)?run\/courier\/[\w/]+\/socket\0/
/** Relative: the log-in programs run in the server's folder until somebody has signed in. */
const AUTH_SOCKET = 'accounts'

/** The user that STARTTLS is done as; only an installation makes one. */
const USER_BUILT_IN = /\0courier\0/

/** A copy of a program or library with a text that was built into it replaced by one that is not longer. */
async function adapt(from: string, to: string, builtIn: RegExp, text: string): Promise<void> {
  const octets = await readFile(from)
  const [found] = builtIn.exec(octets.toString('latin1')) ?? []
  if (!found) throw new Error(`${from} has nothing like ${builtIn}`)
  if (text.length > found.length - 2) throw new Error(`${text} is too long for ${from}`)
  octets.write(`\0${text}`.padEnd(found.length, '\0'), octets.indexOf(found, 0, 'latin1'), 'latin1')
  await writeFile(to, octets, { mode: 0o755 })
}

/** The authdaemon's protocol: facts of the connection, `AUTH <length>`, then service, `login`, user and password, a line each. */
function answerLogin(socket: Socket, home: (user: string) => string): void {
  let received = ''
  socket.on('error', () => {})
  socket.setEncoding('utf8').on('data', (text) => {
    received += text
    const [, user, password] = /(?:^|\n)AUTH \d+\n\w+\nlogin\n(.*)\n(.*)\n/.exec(received) ?? []
    if (user === undefined) return
    if (password !== PASSWORD) {
      socket.end('FAIL\n')
      return
    }
    const maildir = join(home(user), 'Maildir')
    const answer = `UID=${process.getuid?.()}\nGID=${process.getgid?.()}\nHOME=${home(user)}\nADDRESS=${user}\nMAILDIR=${maildir}\n.\n`
    deliver(home(user), 'INBOX', [], undefined).then(
      () => socket.end(answer),
      () => socket.destroy(),
    )
  })
}
