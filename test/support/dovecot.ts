import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { makeAuthority } from './certificates.ts'
import {
  deliver,
  freePorts,
  type MailServer,
  maildirFiles,
  maildirPath,
  type Owner,
  removeFolder,
} from './mail-server.ts'

// A private Dovecot 2.3 (Debian: dovecot-imapd, dovecot-pop3d), by root or by anybody.

const PASSWORD = 'correct-horse-battery'

/** Dovecot never lets root own mail; nobody else has this number. */
const MAIL_OWNER: Owner = { uid: 60_001, gid: 60_001 }

export interface DovecotOptions {
  /** Lines of dovecot.conf, after ours. */
  readonly settings?: string
}

/** Why there is no Dovecot to be had; undefined when there is. */
export function available(): string | undefined {
  return executable() ? undefined : 'dovecot is not on PATH: run test/interop/install-mail-servers.sh'
}

/** Resolves when it answers on all four ports. */
export async function startDovecot(options: DovecotOptions = {}): Promise<MailServer> {
  const binary = executable()
  if (!binary) throw new TypeError('dovecot is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-dovecot-'))
  const owner = process.getuid?.() === 0 ? MAIL_OWNER : undefined
  const mail = join(folder, 'mail')
  const authority = makeAuthority()
  const { keyPem, certPem } = authority.issue({ names: ['localhost', '127.0.0.1'] })
  await mkdir(mail)
  // Its log-in and mail processes run under other names and come through here.
  await chmod(folder, 0o755)
  if (owner) await chown(mail, owner.uid, owner.gid)
  await writeFile(join(folder, 'key.pem'), keyPem, { mode: 0o600 })
  await writeFile(join(folder, 'cert.pem'), certPem)

  const [imap, imaps, pop3, pop3s] = (await freePorts(4)) as [number, number, number, number]
  const ports = { imap, imaps, pop3, pop3s }
  const configuration = join(folder, 'dovecot.conf')
  await writeFile(configuration, `${configured(folder, ports, owner)}\n${options.settings ?? ''}\n`)

  const server = spawn(binary, ['-F', '-c', configuration], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  const stop = async (): Promise<void> => {
    await ended(server)
    await removeFolder(folder)
  }
  try {
    await new Promise<void>((resolve, reject) => {
      for (const stream of [server.stdout, server.stderr])
        stream.on('data', (text) => {
          log = `${log}${text}`.slice(-100_000)
          if (/starting up for/.test(log)) resolve()
        })
      server.once('error', reject)
      server.once('exit', (status) => reject(new Error(`dovecot exited with status ${status}: ${log}`)))
    })
  } catch (error) {
    await stop()
    throw error
  }

  const inbox = (user: string): string => join(mail, user, 'Maildir')
  return {
    name: 'Dovecot',
    host: '127.0.0.1',
    ports,
    ca: authority.caPem,
    password: PASSWORD,
    folderPrefix: '',
    maildir: (user, name = 'INBOX') => maildirPath(inbox(user), modifiedUtf7(name)),
    put: (user, name, messages) => deliver(join(mail, user), modifiedUtf7(name), messages, owner),
    remove: (user, name) => removeFolder(maildirPath(inbox(user), modifiedUtf7(name))),
    files: (user, name = 'INBOX') => maildirFiles(maildirPath(inbox(user), modifiedUtf7(name))),
    log: () => log,
    stop,
  }
}

function configured(folder: string, ports: MailServer['ports'], owner: Owner | undefined): string {
  const { username, uid, gid } = userInfo()
  const user = owner ?? { uid, gid }
  const login = (protocol: 'imap' | 'pop3'): string => `
service ${protocol}-login {
  ${owner ? '' : 'chroot ='}
  service_count = 0
  inet_listener ${protocol} {
    port = ${ports[protocol]}
  }
  inet_listener ${protocol}s {
    port = ${ports[`${protocol}s`]}
    ssl = yes
  }
}`
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
${owner ? '' : `default_login_user = ${username}\ndefault_internal_user = ${username}\ndefault_internal_group = ${groupName(gid)}`}
ssl = yes
ssl_cert = <${folder}/cert.pem
ssl_key = <${folder}/key.pem
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 100
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = /
}
passdb {
  driver = static
  args = password=${PASSWORD}
}
userdb {
  driver = static
  args = uid=${user.uid} gid=${user.gid} home=${folder}/mail/%u
}
${login('imap')}
${login('pop3')}
service anvil {
  ${owner ? '' : 'chroot ='}
  # Whoever failed to sign in waits longer the next time, and here all come from one address.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  ${owner ? '' : 'chroot ='}
}
`
}

/** As the folder is called in its Maildir (RFC 3501, 5.1.3). */
function modifiedUtf7(name: string): string {
  return name.replace(/&|[^\x20-\x7e]+/g, (text) => {
    if (text === '&') return '&-'
    const base64 = Buffer.from(text, 'utf16le').swap16().toString('base64')
    return `&${base64.replace(/=+$/, '').replaceAll('/', ',')}-`
  })
}

/** Dovecot wants a name, and Node knows numbers only. */
function groupName(gid: number): string {
  const groups = readFileSync('/etc/group', 'utf8').split('\n')
  const [name] = groups.map((line) => line.split(':')).find((fields) => fields[2] === String(gid)) ?? []
  return name ?? String(gid)
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return
  const exit = once(server, 'exit')
  // On this signal it ends its processes first.
  server.kill('SIGTERM')
  await exit
}

function executable(): string | undefined {
  // Debian keeps it where only root's PATH looks.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders
    .map((path) => join(path, 'dovecot'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
