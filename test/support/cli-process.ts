import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLocalStores } from '../../functions/local-stores.ts'
import type { Stores } from '../../functions/stores.ts'
import { QUEUES } from './drain-world.ts'
import { removeFolder } from './mail-server.ts'

const LAUNCH = fileURLToPath(new URL('../../functions/launch.mjs', import.meta.url))
const PEAK_MEMORY = new URL('./peak-memory.mjs', import.meta.url).href

export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

export interface CliProcessesOptions {
  readonly password: string
  /** Written to `ca.pem`. */
  readonly ca?: string
  /** More of mailsluice.yaml. */
  readonly config?: object
  /** For stores elsewhere: what the AWS SDK reads. @default `--local` stores in the folder */
  readonly aws?: Readonly<Record<string, string>>
}

/** The command line as processes of their own, with a configuration, and `--local` stores unless said otherwise, in a folder. `close` it. */
export class CliProcesses {
  readonly folder: string
  readonly #options: CliProcessesOptions

  private constructor(folder: string, options: CliProcessesOptions) {
    this.folder = folder
    this.#options = options
  }

  /** `mailboxes` as in mailsluice.yaml, each with `credential: env:PASSWORD`. */
  static async open(mailboxes: readonly object[], options: CliProcessesOptions): Promise<CliProcesses> {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-process-'))
    const config = {
      queues: QUEUES,
      mailboxes: mailboxes.map((mailbox) => ({ credential: 'env:PASSWORD', ...mailbox })),
      ...options.config,
    }
    // JSON is YAML.
    await writeFile(join(folder, 'mailsluice.yaml'), JSON.stringify(config))
    if (options.ca !== undefined) await writeFile(join(folder, 'ca.pem'), options.ca)
    return new CliProcesses(folder, options)
  }

  start(...command: string[]): Running {
    const { password, aws } = this.#options
    const local = aws ? [] : [`--local=${join(this.folder, 'local')}`]
    const child = spawn(process.execPath, ['--import', PEAK_MEMORY, LAUNCH, ...command, ...local], {
      cwd: this.folder,
      env: {
        ...process.env,
        ...aws,
        PASSWORD: password,
        PEAK_MEMORY: join(this.folder, 'peak-memory'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return { child, ended: ended(child) }
  }

  run(...command: string[]): Promise<Ended> {
    return this.start(...command).ended
  }

  /** Of the last command that came to its end. */
  async peakMib(): Promise<number> {
    return Number(await readFile(join(this.folder, 'peak-memory'), 'utf8'))
  }

  /** What the commands have stored, for a look between two of them. The caller closes it. */
  openStores(): Stores {
    return openLocalStores({ queues: QUEUES }, join(this.folder, 'local'))
  }

  async close(): Promise<void> {
    await removeFolder(this.folder)
  }
}

async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { status, signal, stdout, stderr }
}
