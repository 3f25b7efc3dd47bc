import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { main } from '../../functions/mailsluice.cli.ts'

/** What `npx mailsluice` starts. */
export const LAUNCH = fileURLToPath(new URL('../../functions/launch.mjs', import.meta.url))

export interface CliResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line in this process, with streams and environment of its own. */
export async function runCli(
  arguments_: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const stdout = collector()
  const stderr = collector()
  const status = await main(arguments_, { stdout: stdout.stream, stderr: stderr.stream, environment })
  return { status, stdout: stdout.text(), stderr: stderr.text() }
}

export interface CliProcess {
  readonly child: ChildProcess
  /** What has been written by now. */
  stdout(): string
  stderr(): string
  /** Resolves when `text` matches what was written to the stream; rejects when the process ends before. */
  until(stream: 'stdout' | 'stderr', text: RegExp): Promise<void>
  /** The end of the process and of its output. */
  readonly ended: Promise<
    Omit<CliResult, 'status'> & { status: number | null; signal: NodeJS.Signals | null }
  >
}

/** The command line as a user starts it: a process with environment and signals. The servers it talks to may be in this one. */
export function startCli(
  arguments_: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  {
    fileBlocks,
  }: { /** The most that a file may have, 512 octets each. */ readonly fileBlocks?: number } = {},
): CliProcess {
  // A signal that is ignored stays so in what the shell becomes; then the write fails instead.
  const shell = ['sh', '-c', `trap '' XFSZ; ulimit -f ${fileBlocks}; exec "$0" "$@"`]
  const [program = '', ...before] = [...(fileBlocks === undefined ? [] : shell), process.execPath, LAUNCH]
  const child = spawn(program, [...before, ...arguments_], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  const written = { stdout: '', stderr: '' }
  const told = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text
      for (const tell of told) tell()
    })
  const ended = new Promise<Awaited<CliProcess['ended']>>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => resolve({ status, signal, ...written }))
  })
  return {
    child,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    ended,
    async until(stream, text) {
      let look = (): void => {}
      const seen = new Promise<void>((resolve) => {
        look = () => {
          if (text.test(written[stream])) resolve()
        }
      })
      told.add(look)
      look()
      const end = ended.then(({ status, stderr }) => {
        if (!text.test(written[stream]))
          throw new Error(`ended with status ${status} before it wrote ${text}\n${stderr}`)
      })
      await Promise.race([seen, end]).finally(() => told.delete(look))
    },
  }
}

/** A folder of one test: its configurations, and what --local leaves. */
export class CliFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'mailsluice-cli-'))

  /** Returns the path of the file. */
  write(name: string, content: string): string {
    const file = join(this.path, name)
    writeFileSync(file, content)
    return file
  }

  /** A configuration with these mailboxes, each the flow mapping of its settings. */
  config(name: string, ...mailboxes: readonly object[]): string {
    return this.write(name, JSON.stringify({ queues: { default: 'mail-events' }, mailboxes }))
  }

  local(name: string): string {
    return `--local=${join(this.path, name)}`
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Settings of a mailbox that a server of the tests serves, in clear. */
export function mailboxOn(
  server: { readonly port: number; readonly user?: string },
  changes: object = {},
): object {
  return {
    id: 'orders',
    protocol: 'imap',
    host: '127.0.0.1',
    port: server.port,
    tls: 'none',
    user: server.user ?? 'testuser',
    credential: 'env:PASSWORD',
    ...changes,
  }
}

/** The objects of --json. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

export function collector(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer | string, _, done) {
      chunks.push(Buffer.from(chunk))
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') }
}
