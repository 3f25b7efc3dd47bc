import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type MailboxConfig, validateConfig } from '../../shared/contract/config.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import { openNetwork } from '../../shared/discovery/network.ts'
import { ConfigurationError, IngestError } from '../../shared/errors.ts'
import { mailboxOpener } from '../compose.ts'
import { readConfigFile, withMailbox, writeConfigFile } from './config-file.ts'
import { draftMailbox, type MailboxAnswers, type MailboxDraft } from './init-answers.ts'
import { countOf, Output, printable, type Terminal } from './output.ts'
import { type Answers, Questions, SUGGESTED } from './questions.ts'
import type { CommonOptions } from './run.ts'

export interface InitOptions extends CommonOptions, MailboxAnswers {
  /** Take what is suggested and ask nobody. */
  readonly yes?: boolean
  readonly test?: boolean
}

/** Asks for one mailbox, signs in to it, and writes it into the configuration, beside what is there. Resolves to the exit status. */
export async function initCommand(
  address: string | undefined,
  options: InitOptions,
  terminal: Terminal,
): Promise<number> {
  const output = new Output(terminal, options.json ?? false)
  const file = readConfigFile(options.config)
  const folder = dirname(resolve(options.config))
  const answers: Answers = options.yes ? SUGGESTED : new Questions(terminal)
  try {
    const of = await answers.ask('ADDRESS', 'E-mail address', {
      suggested: address,
      check: (text) => (/^[^\s@]+@[^\s@]+$/.test(text) ? undefined : 'expected an address: name@domain'),
    })
    const draft = await draftMailbox({
      address: of,
      given: options,
      answers,
      output,
      network: terminal.network ?? openNetwork(),
      taken: file.ids,
    })
    const mailbox = validated(draft)
    await keepSecret(draft, mailbox, folder, answers, output)
    const tested =
      options.test === false ? undefined : await signsIn(mailbox, { folder, output, options, terminal })
    if (tested === false && !(await answers.confirm('--no-test', 'Write it all the same?', false))) {
      output.note(`Nothing was written to ${options.config}.`)
      return output.exitStatus
    }
    writeConfigFile(file, withMailbox(file.text, draft.settings))
    output.result(
      { file: options.config, mailbox: draft.id, ...draft.settings, tested: tested ?? null },
      () =>
        file.text === undefined
          ? `Wrote ${options.config} with mailbox ${draft.id}. Next: npx mailsluice drain ${draft.id} --local`
          : `Added mailbox ${draft.id} to ${options.config}. Next: npx mailsluice drain ${draft.id}`,
    )
    return output.exitStatus
  } finally {
    answers.close()
  }
}

function validated({ settings }: MailboxDraft): MailboxConfig {
  const { config, problems } = validateConfig({ queues: { default: 'mail-events' }, mailboxes: [settings] })
  const [mailbox] = config?.mailboxes ?? []
  if (mailbox) return mailbox
  throw new ConfigurationError(
    'init',
    (problems ?? []).map((line) => line.replace(/^mailboxes\[0\]\.?/, '')),
  )
}

/** A secret that is to be in a file which is not there yet: typed or taken from a key file, and readable by its owner alone. */
async function keepSecret(
  draft: MailboxDraft,
  mailbox: MailboxConfig,
  folder: string,
  answers: Answers,
  output: Output,
): Promise<void> {
  if (!draft.credential.startsWith('file:')) return
  const path = resolve(folder, draft.credential.slice('file:'.length))
  if (existsSync(path)) return
  const secret = await askSecret(mailbox, answers)
  if (secret === undefined) return
  const into = dirname(path)
  if (!existsSync(into)) {
    mkdirSync(into, { recursive: true, mode: 0o700 })
    // A secret in a repository is one no more.
    writeFileSync(resolve(into, '.gitignore'), '*\n')
  }
  writeFileSync(path, secret.endsWith('\n') ? secret : `${secret}\n`, { flag: 'wx', mode: 0o600 })
  chmodSync(path, 0o600)
  output.note(`The secret is in ${draft.credential.slice('file:'.length)}, readable by you alone.`)
}

async function askSecret({ auth, oauth2 }: MailboxConfig, answers: Answers): Promise<string | undefined> {
  if (auth === 'password') return answers.secret('Password')
  if (oauth2?.grant === 'refresh-token') return answers.secret('Refresh token')
  const what =
    oauth2?.grant === 'service-account'
      ? 'Path of the JSON key file'
      : 'Path of a PEM file with private key and certificate, or "secret" to type a client secret'
  // With --yes the secret has to be there already: the test tells when it is not.
  const answer = await answers.ask('--credential', what).catch((error: unknown) => {
    if (answers === SUGGESTED && error instanceof ConfigurationError) return undefined
    throw error
  })
  if (answer === undefined) return undefined
  if (answer === 'secret' && oauth2?.grant !== 'service-account') return answers.secret('Client secret')
  try {
    return readFileSync(answer, 'utf8')
  } catch (error) {
    throw new ConfigurationError('init', [`${answer} cannot be read: ${(error as Error).message}`])
  }
}

async function signsIn(
  mailbox: MailboxConfig,
  {
    folder,
    output,
    options,
    terminal,
  }: { folder: string; output: Output; options: InitOptions; terminal: Terminal },
): Promise<boolean> {
  const authorities: Record<string, string> = {}
  if (mailbox.ca !== undefined) {
    try {
      authorities[mailbox.ca] = readFileSync(resolve(folder, mailbox.ca), 'utf8')
    } catch (error) {
      throw new ConfigurationError('init', [`--ca: cannot be read: ${(error as Error).message}`])
    }
  }
  const credentials = openCredentials({ environment: terminal.environment, folder })
  const transcript = options.debug ? (line: string) => output.note(printable(line)) : undefined
  output.note(`Signing in to ${mailbox.host} as ${mailbox.user} …`)
  try {
    const session = await mailboxOpener(mailbox, { credentials, authorities, transcript })()
    try {
      const { host, port, tls } = session.server
      const folders = await session.status()
      const found = folders.map(({ folder: name, messages }) => `${name}, ${countOf(messages, 'message')}`)
      output.note(`Signed in to ${host}:${port} (TLS ${tls}): ${found.join('; ') || 'no folder matches'}.`)
      await session.close()
      return true
    } finally {
      session.abort()
    }
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    output.problem('', error)
    return false
  }
}
