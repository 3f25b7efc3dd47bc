/** Values by name, in groups: bars from left to right. */
export interface BarChart {
  readonly title: string
  readonly groups: readonly {
    readonly title: string
    readonly bars: readonly { readonly name: string; readonly value: number; readonly own: boolean }[]
  }[]
}

const WIDTH = 760
const NAMES_WIDTH = 240
const NUMBERS_WIDTH = 60
const LINE_HEIGHT = 22

/** An SVG picture, readable on light and dark ground. */
export function barChart({ title, groups }: BarChart): string {
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ value }) => value)))
  const scale = (WIDTH - NAMES_WIDTH - NUMBERS_WIDTH) / most
  const rows: string[] = []
  let y = 0
  const text = (x: number, words: string, more = ''): void => {
    rows.push(`<text x="${x}" y="${y}" ${more}>${escaped(words)}</text>`)
  }
  y += LINE_HEIGHT
  text(0, title, 'font-weight="bold"')
  for (const group of groups) {
    y += 1.6 * LINE_HEIGHT
    text(0, group.title, 'font-weight="bold"')
    for (const { name, value, own } of group.bars) {
      y += LINE_HEIGHT
      text(0, name)
      const width = (value * scale).toFixed(1)
      rows.push(
        `<rect x="${NAMES_WIDTH}" y="${y - 13}" width="${width}" height="16" fill="${own ? '#1f7a5c' : '#9aa5b1'}"/>`,
      )
      text(NAMES_WIDTH + value * scale + 6, value.toFixed(0))
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${Math.ceil(y + LINE_HEIGHT)}" font-family="sans-serif" font-size="13" fill="#6b7785">`,
    ...rows,
    '</svg>\n',
  ].join('\n')
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
