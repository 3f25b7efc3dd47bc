import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import { ConfigurationError } from '../../shared/errors.ts'
import type { Terminal } from './output.ts'

export interface Asking {
  /** @default none: there has to be an answer */
  readonly suggested?: string | undefined
  /** What is wrong with an answer. */
  readonly check?: ((answer: string) => string | undefined) | undefined
}

/** How the answers of `init` are had. `option` is what gives the answer beforehand, and what is named when there is none. */
export interface Answers {
  ask(option: string, question: string, asking?: Asking): Promise<string>
  confirm(option: string, question: string, suggested: boolean): Promise<boolean>
  /** Undefined when nobody can be asked for one. */
  secret(question: string): Promise<string | undefined>
  close(): void
}

/** --yes: what is suggested is the answer; what is not is a mistake. */
export const SUGGESTED: Answers = {
  async ask(option, question, { suggested, check = () => undefined } = {}) {
    const wrong = suggested ? check(suggested) : `missing; expected ${question}`
    if (!suggested || wrong !== undefined) throw new ConfigurationError('init', [`${option}: ${wrong}`])
    return suggested
  },
  confirm: async (_, __, suggested) => suggested,
  secret: async () => undefined,
  close: () => {},
}

/** What a person is asked, on stderr, with the answers on stdin: a terminal or a file of lines. `close` it. */
export class Questions implements Answers {
  readonly #lines: Interface
  readonly #stderr: Terminal['stderr']
  readonly #waiting: ((line: string | undefined) => void)[] = []
  readonly #read: string[] = []
  #ended = false
  /** While a secret is typed. */
  #muted = false

  constructor({ stdin, stderr }: Pick<Terminal, 'stdin' | 'stderr'>) {
    if (!stdin)
      throw new ConfigurationError('init', [
        'there is nobody to ask; expected every answer as an option, and --yes',
      ])
    this.#stderr = stderr
    const output = new Writable({
      write: (chunk: Buffer, _, done) => {
        if (!this.#muted) stderr.write(chunk)
        done()
      },
    })
    const terminal = stdin.isTTY === true && stderr.isTTY === true
    this.#lines = createInterface({ input: stdin, output, terminal })
    this.#lines.on('line', (line) => {
      const next = this.#waiting.shift()
      if (next) next(line)
      else this.#read.push(line)
    })
    // Ctrl-C and the end of a file of answers.
    this.#lines.on('SIGINT', () => this.#lines.close())
    this.#lines.on('close', () => {
      this.#ended = true
      for (const next of this.#waiting.splice(0)) next(undefined)
    })
  }

  /** The answer; an empty one stands for `suggested`. Asked again while `check` finds something wrong. */
  async ask(
    _: string,
    question: string,
    { suggested, check = () => undefined }: Asking = {},
  ): Promise<string> {
    const shown = suggested === undefined || suggested === '' ? question : `${question} [${suggested}]`
    while (true) {
      const answer = (await this.#line(`${shown}: `)).trim() || (suggested ?? '')
      const wrong = answer === '' ? 'expected an answer' : check(answer)
      if (wrong === undefined) return answer
      this.#stderr.write(`  ${wrong}\n`)
    }
  }

  async confirm(option: string, question: string, suggested: boolean): Promise<boolean> {
    const answer = await this.ask(option, `${question} (y/n)`, {
      suggested: suggested ? 'y' : 'n',
      check: (text) => (/^(y|yes|n|no)$/i.test(text) ? undefined : 'expected y or n'),
    })
    return /^y/i.test(answer)
  }

  /** What is typed is not shown. */
  async secret(question: string): Promise<string> {
    while (true) {
      this.#lines.setPrompt('')
      this.#stderr.write(`${question} (it is not shown): `)
      this.#muted = true
      try {
        const answer = await this.#line('')
        if (answer !== '') return answer
      } finally {
        this.#muted = false
        this.#stderr.write('\n')
      }
    }
  }

  close(): void {
    this.#lines.close()
  }

  async #line(prompt: string): Promise<string> {
    this.#lines.setPrompt(prompt)
    // The end of a file of answers is often read before the first of them is asked for.
    if (this.#ended) this.#stderr.write(prompt)
    else this.#lines.prompt()
    const line =
      this.#read.shift() ??
      (this.#ended
        ? undefined
        : await new Promise<string | undefined>((resolve) => {
            this.#waiting.push(resolve)
          }))
    if (line === undefined)
      throw new ConfigurationError('init', ['stopped before the last answer; nothing was written'])
    return line
  }
}
