import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { CACHE, firstExecutable, onPath } from './engine-process.ts'

// Trino, whose SQL Athena speaks, with its Hive connector, as a process that runs statements; fetched by test/interop/install-trino-engine.sh.

/** As in install-trino-engine.sh. */
const VERSION = '483'
const JARS = process.env.MAILSLUICE_TRINO ?? join(CACHE, `trino-${VERSION}`)
const JAVA_LEAST = 25

export interface TrinoResult {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export interface RunningTrino {
  /** Parameters are literals, as Athena takes them. Rejects with what Trino says. */
  execute(sql: string, parameters?: readonly string[]): Promise<TrinoResult>
  stop(): Promise<void>
}

/** Why its tests are left out, and what to do about it; undefined when they can run. */
export function trinoMissing(): string | undefined {
  try {
    if (!readdirSync(JARS).some((file) => file.startsWith('trino-hive-'))) throw new Error('no jars')
  } catch {
    return 'Trino is not found at MAILSLUICE_TRINO or in the cache: run test/interop/install-trino-engine.sh'
  }
  return java() ? undefined : `no JDK ${JAVA_LEAST} or newer at JAVA_HOME, on PATH or in /usr/lib/jvm`
}

/** The first that is new enough, of a JDK: a source file is run, which a JRE cannot. */
function java(): string | undefined {
  const { JAVA_HOME } = process.env
  const homes = [JAVA_HOME, ...installed('/usr/lib/jvm')].filter((home) => home !== undefined)
  return [onPath('java'), ...homes.map((home) => firstExecutable(join(home, 'bin', 'java')))].find(
    (program) => {
      if (!program || !firstExecutable(join(dirname(program), 'javac'))) return false
      const { stderr } = spawnSync(program, ['-version'], { encoding: 'utf8' })
      return Number(/version "(\d+)/.exec(stderr)?.[1]) >= JAVA_LEAST
    },
  )
}

function installed(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name))
  } catch {
    return []
  }
}

/** `folder` is `local:///` in the locations of tables. */
export function startTrino(folder: string): RunningTrino {
  const source = join(import.meta.dirname, 'TrinoStatements.java')
  const engine = spawn(
    java() as string,
    [
      '-Xmx1g',
      '-XX:TieredStopAtLevel=1',
      '--add-modules=jdk.incubator.vector',
      '--sun-misc-unsafe-memory-access=allow',
      '-cp',
      join(JARS, '*'),
      source,
      folder,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
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
    execute(sql, parameters = []) {
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
