import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { isMap, isSeq, parseDocument } from 'yaml'
import { parseConfig } from '../../shared/contract/config-text.ts'
import { ConfigurationError } from '../../shared/errors.ts'

/** mailsluice.yaml as it is now. */
export interface ConfigFile {
  readonly path: string
  /** Undefined when there is none yet. */
  readonly text: string | undefined
  readonly ids: readonly string[]
}

/** Throws a ConfigurationError when it cannot be read or has mistakes: it is not touched then. */
export function readConfigFile(path: string): ConfigFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { path, text: undefined, ids: [] }
    throw new ConfigurationError(path, [`cannot be read: ${(error as Error).message}`])
  }
  const { config, problems } = parseConfig(text)
  if (!config) throw new ConfigurationError(path, [...problems, 'correct this first; nothing was written'])
  return { path, text, ids: config.mailboxes.map(({ id }) => id) }
}

const HEAD = `# Mailsluice: which mailboxes are drained, and where their messages go. docs/configuration.md has every setting.
# Without --local, archive.bucket has to be named here, or the deployment with --stack.
`

/** The text with one more mailbox; comments and everything else in it stay. */
export function withMailbox(text: string | undefined, mailbox: object): string {
  if (text === undefined) {
    const document = parseDocument('queues:\n  default: mail-events # name, URL or ARN\nmailboxes: []\n')
    document.setIn(['mailboxes'], document.createNode([mailbox]))
    return HEAD + document.toString({ lineWidth: 0 })
  }
  const document = parseDocument(text)
  const mailboxes = document.getIn(['mailboxes'])
  if (!isSeq(mailboxes) || !isMap(document.contents)) throw new TypeError('a configuration without mailboxes')
  mailboxes.add(document.createNode(mailbox))
  return document.toString({ lineWidth: 0 })
}

/** Writes it, unless somebody else has changed or made it meanwhile. */
export function writeConfigFile({ path, text: before }: ConfigFile, text: string): void {
  const written = `${path}.${randomUUID()}.new`
  const changed = new ConfigurationError(path, [
    'somebody else has changed it meanwhile; nothing was written',
  ])
  try {
    if (before === undefined) {
      writeFileSync(written, text, { flag: 'wx' })
      linkSync(written, path)
    } else {
      writeFileSync(written, text, { flag: 'wx', mode: statSync(path).mode & 0o777 })
      if (readFileSync(path, 'utf8') !== before) throw changed
      renameSync(written, path)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw changed
    if (code === undefined) throw error
    throw new ConfigurationError(path, [`cannot be written: ${(error as Error).message}`])
  } finally {
    rmSync(written, { force: true })
  }
}
