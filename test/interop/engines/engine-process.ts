import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// Servers for the interop tests, each a process of its own on a free port of loopback, with a folder that goes with it.

/** Where test/interop/install-*.sh put what they build or fetch. */
export const CACHE =
  process.env.MAILSLUICE_ENGINES ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mailsluice-engines')

export interface Invocation {
  readonly command: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export interface RunningEngine {
  /** `http://127.0.0.1:PORT`; it answers there. */
  readonly endpoint: string
  /** What it keeps is below. */
  readonly folder: string
  /** Kills it and removes its folder. */
  stop(): Promise<void>
}

export async function startEngine(
  name: string,
  /** What to run; may put into the folder what it needs. */
  invocation: (port: number, folder: string) => Promise<Invocation>,
): Promise<RunningEngine> {
  const folder = await mkdtemp(join(tmpdir(), `mailsluice-${name}-`))
  const port = await freePort()
  const { command, args, environment } = await invocation(port, folder)
  const server = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (text) => (said = `${said}${text}`.slice(-4000)))
  const endpoint = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await answers(endpoint, server)
  } catch (error) {
    await stop()
    throw new Error(`${command} does not start: ${said}`, { cause: error })
  }
  return { endpoint, folder, stop }
}

/** Any answer will do. */
async function answers(endpoint: string, server: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (server.exitCode !== null) throw new Error(`exited with status ${server.exitCode}`)
    try {
      await (await fetch(endpoint)).arrayBuffer()
      return
    } catch {
      await sleep(100)
    }
  }
  throw new Error('no answer in 30 s')
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

export function onPath(name: string): string | undefined {
  return firstExecutable(...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)))
}

export function firstExecutable(...paths: readonly (string | undefined)[]): string | undefined {
  return paths.find((path) => {
    if (!path) return false
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
