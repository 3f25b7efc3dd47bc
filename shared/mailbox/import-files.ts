import { createReadStream } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errnoOf } from '../archive/file-errors.ts'
import { ConfigurationError } from '../errors.ts'
import { unquoteFromLine } from '../mail/mbox-quoting.ts'
import type { ServerMetadata } from './mailbox.ts'

// Mail in files: a message each (.eml), mbox, Maildir.

export const IMPORT_FORMATS = ['eml', 'mbox', 'maildir'] as const
export type ImportFormat = (typeof IMPORT_FORMATS)[number]

/** One message in a file. */
export interface FileMessage {
  readonly path: string
  /** From here to there; undefined: the whole file. */
  readonly range: { readonly from: number; readonly to: number } | undefined
  readonly metadata: ServerMetadata
}

export interface Source {
  readonly format: ImportFormat
  readonly messages: readonly FileMessage[]
}

/** Every message of a source. Throws a ConfigurationError for what cannot be read or is of no known form. */
export async function readSource(path: string, expected: ImportFormat | undefined): Promise<Source> {
  try {
    const format = expected ?? (await formatOf(path))
    return { format, messages: await LIST[format](path) }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    throw new ConfigurationError('archive import', [
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    ])
  }
}

const LIST: Readonly<Record<ImportFormat, (path: string) => Promise<FileMessage[]>>> = {
  eml: listEml,
  mbox: listMbox,
  maildir: listMaildir,
}

/** A folder with cur and new is a Maildir; a file that begins as an mbox does is one. */
async function formatOf(source: string): Promise<ImportFormat> {
  if ((await lstat(source)).isDirectory()) {
    const names = await readdir(source)
    return names.includes('cur') && names.includes('new') ? 'maildir' : 'eml'
  }
  for await (const start of createReadStream(source, { end: 4 }) as AsyncIterable<Buffer>)
    return start.toString('latin1') === 'From ' ? 'mbox' : 'eml'
  return 'eml'
}

async function listEml(source: string): Promise<FileMessage[]> {
  if (!(await lstat(source)).isDirectory()) return [{ path: source, range: undefined, metadata: {} }]
  const entries = await readdir(source, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && /\.eml$/i.test(entry.name))
    .map((entry) => ({ path: join(entry.parentPath, entry.name), range: undefined, metadata: {} }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Also of the folders within (Maildir++: `.Sent`). Delivery to tmp is not finished, so that nothing there is a message. */
async function listMaildir(source: string): Promise<FileMessage[]> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && /^(cur|new)$/.test(basename(entry.parentPath)))
  const messages = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name)
    const { mtime } = await lstat(path)
    return { path, range: undefined, metadata: { internalDate: mtime.toISOString(), flags: flagsOf(name) } }
  })
  return (await Promise.all(messages)).sort((a, b) => (a.path < b.path ? -1 : 1))
}

const MAILDIR_FLAGS: Readonly<Record<string, string>> = {
  D: '\\Draft',
  F: '\\Flagged',
  R: '\\Answered',
  S: '\\Seen',
  T: '\\Deleted',
}

function flagsOf(name: string): string[] {
  const letters = /:2,([A-Za-z]*)$/.exec(name)?.[1] ?? ''
  return [...letters].flatMap((letter) => MAILDIR_FLAGS[letter] ?? [])
}

/** A message begins after a line `From …` at the start of the file or after an empty line (RFC 4155), and the empty line before the next is not of it. */
async function listMbox(source: string): Promise<FileMessage[]> {
  const messages: FileMessage[] = []
  let start: { readonly from: number; readonly metadata: ServerMetadata } | undefined
  let emptyFrom: number | undefined = 0
  let at = 0
  const end = (to: number): void => {
    if (start) messages.push({ path: source, range: { from: start.from, to }, metadata: start.metadata })
  }
  for await (const { octets, line } of linesOf(source)) {
    if (emptyFrom !== undefined && line.startsWith('From ')) {
      end(emptyFrom)
      start = { from: at + octets, metadata: dateOf(line) }
    }
    emptyFrom = line === '' ? at : undefined
    at += octets
  }
  end(emptyFrom !== undefined && emptyFrom < at ? emptyFrom : at)
  if (messages.length === 0)
    throw new ConfigurationError('archive import', [
      `${source} is no mbox: expected a line From … at its start`,
    ])
  return messages
}

/** Of the first characters of a line nothing else is looked at. */
const LINE_START = 256

async function* linesOf(source: string): AsyncGenerator<{ octets: number; line: string }> {
  let start = ''
  let octets = 0
  for await (const chunk of createReadStream(source) as AsyncIterable<Buffer>) {
    let from = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      start += chunk.toString('latin1', from, Math.min(end, from + LINE_START))
      octets += end + 1 - from
      yield { octets, line: start.replace(/\r$/, '') }
      start = ''
      octets = 0
      from = end + 1
    }
    if (start.length < LINE_START)
      start += chunk.toString('latin1', from, Math.min(chunk.length, from + LINE_START))
    octets += chunk.length - from
  }
  if (octets > 0) yield { octets, line: start }
}

function dateOf(line: string): ServerMetadata {
  const written = /^From \S+ +(.*)$/.exec(line)?.[1]
  const at = written === undefined ? Number.NaN : Date.parse(`${written} UTC`)
  return Number.isNaN(at) ? {} : { internalDate: new Date(at).toISOString() }
}

/**
 * The octets of a message as a mail server would send them: lines end with CRLF where the file has them in the form of Unix, which its first line tells, and the
 * quoting of an mbox is taken off.
 * @param asIs line ends stay as they are
 */
export async function* octetsOf({ path, range }: FileMessage, asIs: boolean): AsyncGenerator<Buffer> {
  if (range && range.from >= range.to) return
  const source = createReadStream(path, range ? { start: range.from, end: range.to - 1 } : {})
  if (asIs && !range) yield* source as AsyncIterable<Buffer>
  else yield* mailLines(source as AsyncIterable<Buffer>, { unquote: range !== undefined, asIs })
}

async function* mailLines(
  source: AsyncIterable<Buffer>,
  { unquote, asIs }: { readonly unquote: boolean; readonly asIs: boolean },
): AsyncGenerator<Buffer> {
  let kept: Buffer[] = []
  let unix: boolean | undefined
  for await (const chunk of source) {
    const out: Buffer[] = []
    let from = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      const line = Buffer.concat([...kept, chunk.subarray(from, end + 1)])
      kept = []
      from = end + 1
      const bare = line.at(-2) !== 0x0d
      unix ??= bare && !asIs
      const plain = unquote ? unquoteFromLine(line) : line
      out.push(unix && bare ? Buffer.concat([plain.subarray(0, -1), CRLF]) : plain)
    }
    kept.push(chunk.subarray(from))
    if (out.length > 0) yield Buffer.concat(out)
  }
  const rest = Buffer.concat(kept)
  if (rest.length > 0) yield unquote ? unquoteFromLine(rest) : rest
}

const CRLF = Buffer.from('\r\n')
