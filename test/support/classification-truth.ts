// What each message of the corpus is, by those who collected it: the names of their files, and what others measured in the octets.

/** A row of docs/classification.md: which messages have to be of this class, or have one of these labels beside it. */
export interface Row {
  readonly name: string
  readonly labels: readonly string[]
  readonly isTrue: (message: string, tags: readonly string[]) => boolean
}

/** A collection of bounces, with others among them. */
const SISIMAI = 'sisimai-set-of-emails/'
const OTHERS = /__(?:arf-|rfc3834-|is-not-bounce|size-)/

export const ROWS: readonly Row[] = [
  {
    name: 'bounce',
    labels: ['bounce'],
    isTrue: (message, tags) => (message.startsWith(SISIMAI) ? !OTHERS.test(message) : tags.includes('dsn')),
  },
  {
    name: 'auto-reply',
    labels: ['auto-reply'],
    isTrue: (message) => /__rfc3834-/.test(message),
  },
  { name: 'complaint', labels: ['complaint'], isTrue: (_, tags) => tags.includes('arf') },
  { name: 'read-receipt', labels: ['read-receipt'], isTrue: (_, tags) => tags.includes('mdn') },
  { name: 'calendar', labels: ['calendar'], isTrue: (_, tags) => tags.includes('calendar') },
  {
    name: 'dmarc-report',
    labels: ['dmarc-report'],
    isTrue: (message) => message === 'php-imap/mail_that_is_attachment.eml',
  },
  { name: 'list', labels: ['list'], isTrue: (_, tags) => tags.includes('list_hdr') },
  {
    name: 'signed or encrypted',
    labels: ['signed', 'encrypted'],
    isTrue: (_, tags) => tags.includes('pgp_mime') || tags.includes('smime'),
  },
  { name: 'tnef', labels: ['tnef'], isTrue: (_, tags) => tags.includes('tnef') },
]

export interface Measured {
  readonly row: Row
  readonly expected: number
  readonly found: number
  readonly right: number
  readonly missed: readonly string[]
  readonly besides: readonly string[]
}

export function measure(
  messages: readonly {
    readonly name: string
    readonly class: string
    readonly labels: readonly string[]
  }[],
  tags: ReadonlyMap<string, readonly string[]>,
): readonly Measured[] {
  return ROWS.map((row) => {
    const truth = new Set(
      messages.flatMap(({ name }) => (row.isTrue(name, tags.get(name) ?? []) ? [name] : [])),
    )
    const found = messages.flatMap(({ name, class: decided, labels }) => {
      // A bounce by a program that answers automatically is a bounce: of classes the one that decides counts.
      const said = BESIDE.has(row.name) ? labels : [decided]
      return said.some((label) => row.labels.includes(label)) ? [name] : []
    })
    return {
      row,
      expected: truth.size,
      found: found.length,
      right: found.filter((name) => truth.has(name)).length,
      missed: [...truth].filter((name) => !found.includes(name)),
      besides: found.filter((name) => !truth.has(name)),
    }
  })
}

/** Rows of labels that stand beside any class. */
const BESIDE = new Set(['list', 'signed or encrypted', 'tnef'])

/** As docs/classification.md has it. */
export function measuredRow({ row, expected, found, right }: Measured): string {
  const percent = (part: number, whole: number): string =>
    whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`
  return `${row.name} ${expected} ${found} ${right} ${percent(right, found)} ${percent(right, expected)}`
}
