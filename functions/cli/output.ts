import type { Network } from '../../shared/discovery/discovery.ts'
import { IngestError } from '../../shared/errors.ts'

/** The streams and settings of one run of the command line. */
export interface Terminal {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & {
    readonly isTTY?: boolean
    readonly columns?: number
    readonly rows?: number
  }
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where answers come from. */
  readonly stdin?: (NodeJS.ReadableStream & { readonly isTTY?: boolean }) | undefined
  /** What `init` looks servers up with. @default that of this machine */
  readonly network?: Network | undefined
}

/**
 * What a command says. `--json`: one object a line on stdout and nothing else there. Problems go to stderr in both forms, and any problem
 * makes the exit status 1.
 */
export class Output {
  readonly json: boolean
  readonly #terminal: Terminal
  #failed = false
  /** Lines of progress that are on the screen. */
  #progress = 0

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal
    this.json = json
  }

  get exitStatus(): 0 | 1 {
    return this.#failed ? 1 : 0
  }

  /** Whether progress can be shown in place. */
  get live(): boolean {
    return this.#terminal.stderr.isTTY === true
  }

  /** Lines of the terminal. One that does not know its size, as some containers give, says 0. */
  get height(): number {
    return this.#terminal.stderr.rows || 24
  }

  /** A result: as text, or as an object with --json. Text may have several lines or be empty. */
  result(value: object, text: () => string): void {
    this.clearProgress()
    const line = this.json ? JSON.stringify(value) : text()
    if (line !== '') this.#terminal.stdout.write(`${line}\n`)
  }

  /** Resolves when everything said on stdout by now is written. */
  flushed(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#terminal.stdout.write('', (error) => (error ? reject(error) : resolve()))
    })
  }

  get stdout(): NodeJS.WritableStream {
    return this.#terminal.stdout
  }

  /** Not a result, and nothing wrong: for people. */
  note(text: string): void {
    this.clearProgress()
    this.#terminal.stderr.write(`${text}\n`)
  }

  /** Something is wrong that does not stop the command: the exit status will be 1. */
  problem(where: string, error: unknown): void {
    this.clearProgress()
    this.#failed = true
    this.#terminal.stderr.write(`mailsluice: ${describe(where, error)}\n`)
  }

  /** Lines that are written over by the next ones, or by whatever else is said; on a terminal alone. */
  progress(lines: readonly string[]): void {
    if (!this.live) return
    this.clearProgress()
    const width = this.#terminal.stderr.columns || 80
    this.#progress = lines.length
    this.#terminal.stderr.write(lines.map((line) => printable(line).slice(0, width - 1)).join('\n'))
  }

  clearProgress(): void {
    if (this.#progress === 0) return
    const up = this.#progress > 1 ? `\x1b[${this.#progress - 1}A` : ''
    this.#progress = 0
    this.#terminal.stderr.write(`\r${up}\x1b[J`)
  }
}

/** Code, what is wrong and where, and what to do. */
export function describe(where: string, error: unknown): string {
  const prefix = where === '' ? '' : `${where}: `
  if (error instanceof IngestError)
    return `${prefix}${error.code}: ${printable(error.message)}\n  ${error.remedy}`
  return `${prefix}${error instanceof Error ? printable(error.message) : String(error)}`
}

/** What strangers wrote (subjects, server texts) must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

export function octetsText(octets: number): string {
  if (octets < 1000) return `${Math.round(octets)} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = octets / 1000
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}

export function countText(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 segment`, `2 segments`. */
export function countOf(count: number, one: string, many: string = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

export function durationText(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}

/** Columns padded to their widest cell; the last one is not. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
