import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Reading } from './mailparser-oracle.ts'

// What the collections of the corpus expect of their messages, in files beside them.

export function sha256(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex')
}

type Expected = Pick<Reading, 'subject' | 'from' | 'to' | 'date' | 'messageId' | 'attachments'>

interface Part {
  readonly headers: readonly { readonly name: unknown; readonly value: HeaderValue }[]
  readonly body: {
    readonly Binary?: readonly number[]
    readonly InlineBinary?: readonly number[]
    readonly Message?: object
  }
  readonly offset_body: number
  readonly offset_end: number
}

interface HeaderValue {
  readonly Text?: string
  readonly Address?: {
    readonly List?: Mailboxes
    readonly Group?: readonly { readonly addresses: Mailboxes }[]
  }
  readonly ContentType?: {
    readonly attributes: readonly { readonly name: string; readonly value: string }[] | null
  }
  readonly DateTime?: Readonly<
    Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' | 'tz_hour' | 'tz_minute', number>
  > & {
    readonly tz_before_gmt: boolean
  }
}

type Mailboxes = readonly { readonly name: string | null; readonly address: string | null }[]

/** The result of stalwart's mail-parser; attachments that are text by their name alone, for theirs are characters. */
export function stalwartExpects(path: string, octets: Buffer): Expected | undefined {
  const file = join(dirname(path), 'expected', basename(path).replace(/eml$/, 'json'))
  if (!existsSync(file)) return undefined
  const { parts, attachments } = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly parts: readonly Part[]
    readonly attachments: readonly number[]
  }
  const first = (name: string): HeaderValue | undefined => headerValue(parts[0], name)
  return {
    subject: first('subject')?.Text ?? '',
    from: mailboxes(first('from')),
    to: mailboxes(first('to')),
    date: instant(first('date')?.DateTime),
    messageId: first('message_id')?.Text ?? '',
    attachments: attachments.map((index) => attachment(parts[index] as Part, octets)),
  }
}

function headerValue(part: Part | undefined, name: string): HeaderValue | undefined {
  return part?.headers.find((field) => field.name === name)?.value
}

function mailboxes(value: HeaderValue | undefined): string[] {
  const { List = [], Group = [] } = value?.Address ?? {}
  return [...List, ...Group.flatMap(({ addresses }) => addresses)].map(({ name, address }) =>
    `${name ?? ''} <${address ?? ''}>`.trim(),
  )
}

function instant(date: HeaderValue['DateTime']): number | undefined {
  if (!date) return undefined
  const { year, month, day, hour, minute, second, tz_hour, tz_minute, tz_before_gmt } = date
  const offsetMs = (tz_hour * 60 + tz_minute) * 60_000
  return Date.UTC(year, month - 1, day, hour, minute, second) + (tz_before_gmt ? offsetMs : -offsetMs)
}

function attachment(part: Part, octets: Buffer): string {
  const attribute = (field: string, name: string): string | undefined =>
    headerValue(part, field)?.ContentType?.attributes?.find((one) => one.name === name)?.value
  const name = attribute('content_disposition', 'filename') ?? attribute('content_type', 'name') ?? ''
  const { Binary, InlineBinary, Message } = part.body
  const binary = Binary ?? InlineBinary
  if (binary) return `${name} ${binary.length} ${sha256(Buffer.from(binary))}`
  if (!Message) return `${name} `
  const nested = octets.subarray(part.offset_body, part.offset_end)
  return `${name} ${nested.length} ${sha256(nested)}`
}

/** SHA-256 of the bodies that Mime4J decoded, by the place of their part. */
export function mime4jExpects(path: string): ReadonlyMap<string, string> {
  const folder = join(dirname(path), 'expected')
  const bodies = new Map<string, string>()
  if (!existsSync(folder)) return bodies
  const stem = `${basename(path, '.msg.eml')}_decoded_1`
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(stem) || !/^(?:_\d+)*\.(?:bin|txt)$/.test(name.slice(stem.length))) continue
    const place = name
      .slice(stem.length)
      .replace(/\.\w+$/, '')
      .slice(1)
      .replaceAll('_', '.')
    bodies.set(place || '1', sha256(readFileSync(join(folder, name))))
  }
  return bodies
}

/** SHA-256 of a file that attachments of this name are expected to be. */
export function zbatesonExpects(path: string, name: string): string | undefined {
  const file = join(dirname(path), 'expected', `files__${name}`)
  return existsSync(file) ? sha256(readFileSync(file)) : undefined
}

/** What was measured of each message by others than us. */
export function tagsOf(folder: string): ReadonlyMap<string, readonly string[]> {
  const lines = readFileSync(join(folder, 'TAGS.tsv'), 'utf8').trimEnd().split('\n').slice(1)
  return new Map(
    lines.map((line) => {
      const [path = '', , tags = ''] = line.split('\t')
      return [path, tags.split(' ')]
    }),
  )
}
