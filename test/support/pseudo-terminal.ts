import { spawn } from 'node:child_process'
import { without } from './programs.ts'

/** For `skip`: why there is no pseudo-terminal to be had (script of util-linux); false when there is. */
export const noPseudoTerminal = (): string | false => without('script')

export interface Typed {
  readonly status: number | null
  /** Everything that was on the screen. */
  readonly screen: string
}

/**
 * Runs a program on a pseudo-terminal and types each answer once its question is on the screen, as a person does. Ends the program, and
 * fails, when a question does not come.
 */
export async function typeInto(
  command: readonly string[],
  dialogue: readonly (readonly [question: RegExp, answer: string])[],
  { cwd, environment = {} }: { cwd: string; environment?: Readonly<Record<string, string>> },
): Promise<Typed> {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  // script runs it by a shell. One that stays beside the program is hit by Ctrl-C, too, and dash answers 130 for it, whatever the program did.
  const child = spawn('script', ['-qefc', `exec ${quoted}`, '/dev/null'], {
    cwd,
    env: { ...process.env, TERM: 'dumb', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let screen = ''
  let looked = 0
  const waiting = [...dialogue]
  const given = setTimeout(() => child.kill(), 60_000)
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString()
    for (let next = waiting[0]; next; next = waiting[0]) {
      const [question, answer] = next
      const found = question.exec(screen.slice(looked))
      if (!found) return
      looked += found.index + found[0].length
      waiting.shift()
      child.stdin.write(`${answer}\r`)
    }
  })
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(given)
  const [left] = waiting
  if (left) throw new Error(`never asked: ${left[0]}; the screen was:\n${screen}`)
  return { status, screen }
}
