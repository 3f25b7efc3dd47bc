import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// docs/corpus.md and docs/classification.md say how odd messages are read, and their lists are what the tests expect.

const [CORPUS, CLASSIFICATION] = ['corpus', 'classification'].map((name) =>
  readFileSync(fileURLToPath(new URL(`../../docs/${name}.md`, import.meta.url)), 'utf8'),
)
const TEXT = `${CORPUS}\n${CLASSIFICATION}`

export interface Listed {
  /** Title of the list, without quotes. */
  readonly under: string
  readonly message: string
  /** What stands behind the colon. */
  readonly remark: string
}

/** The entries of all lists in a section, and below `title` alone when one is given. */
export function listed(section: string, title?: string): readonly Listed[] {
  const all = textOf(section)
    .split(/^### /m)
    .slice(1)
    .flatMap((list) => {
      const under = (list.split('\n', 1)[0] ?? '').replaceAll('`', '')
      return [...list.matchAll(/^- `([^`]+)`(?:: (.*))?$/gm)].map(([, message = '', remark = '']) => ({
        under,
        message,
        remark,
      }))
    })
  return title === undefined ? all : all.filter(({ under }) => under === title)
}

/** Each message with the remarks that are commas apart, as `message: remark`, sorted. */
export function listedEach(section: string, title?: string): readonly string[] {
  return listed(section, title)
    .flatMap(({ message, remark }) => remark.split(', ').map((one) => `${message}: ${one}`))
    .sort()
}

/** Rows of the table in a section, cells joined by spaces, without its head. */
export function rows(section: string): readonly string[] {
  return [...textOf(section).matchAll(/^\| (.*) \|$/gm)]
    .map(([, row = '']) =>
      row
        .replaceAll('`', '')
        .split(/\s*\|\s*/)
        .filter(Boolean)
        .join(' '),
    )
    .slice(2)
}

function textOf(section: string): string {
  const text = TEXT.split(/^## /m).find((candidate) => candidate.startsWith(`${section}\n`))
  if (text === undefined) throw new Error(`neither document has a section ${section}`)
  return text
}
