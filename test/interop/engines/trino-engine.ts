import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CACHE, onPath } from './engine-process.ts'

// Trino, whose SQL Athena speaks, as a process that runs statements; fetched by test/interop/install-trino-engine.sh.

/** As in install-trino-engine.sh. */
const VERSION = '435'
const JARS = process.env.MAILSLUICE_TRINO ?? join(CACHE, `trino-${VERSION}`)
const JAVA = onPath('java')

export interface TrinoResult {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export interface RunningTrino {
  /** Parameters are literals, as Athena takes them. Rejects with what Trino says. */
  execute(sql: string, parameters: readonly string[]): Promise<TrinoResult>
  stop(): Promise<void>
}

/** Why its tests are left out, and what to do about it; undefined when they can run. */
export function trinoMissing(): string | undefined {
  // A source file is run, which a JRE cannot.
  if (!JAVA || !onPath('javac')) return 'a JDK (java and javac) is not found'
  try {
    if (readdirSync(JARS).some((file) => file.startsWith('trino-main-'))) return undefined
  } catch {
    // Said below.
  }
  return 'Trino is not found at MAILSLUICE_TRINO or in the cache: run test/interop/install-trino-engine.sh'
}

export function startTrino(): RunningTrino {
  const source = join(import.meta.dirname, 'TrinoStatements.java')
  const engine = spawn(
    JAVA as string,
    ['-Xmx1g', '-XX:TieredStopAtLevel=1', '-cp', join(JARS, '*'), source],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
  let said = ''
  engine.stderr.on('data', (text) => (said = `${said}${text}`.slice(-4000)))
  const lines = createInterface({ input: engine.stdout })[Symbol.asyncIterator]()
  let last: Promise<unknown> = Promise.resolve()
  const run = async (statement: string): Promise<TrinoResult> => {
    engine.stdin.write(`${JSON.stringify(statement)}\n`)
    const { value, done } = await lines.next()
    if (done) throw new Error(`Trino has ended: ${said}`)
    const answer = JSON.parse(value) as TrinoResult & { error?: string }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }
  return {
    execute(sql, parameters) {
      const text = sql.replaceAll("'", "''")
      const statement =
        parameters.length === 0 ? sql : `EXECUTE IMMEDIATE '${text}' USING ${parameters.join(', ')}`
      // One answer for each statement, in their order.
      const answer = last.then(() => run(statement))
      last = answer.catch(() => {})
      return answer
    },
    async stop() {
      if (engine.exitCode !== null) return
      const ended = once(engine, 'exit')
      engine.kill('SIGKILL')
      await ended
    },
  }
}
