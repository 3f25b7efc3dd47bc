import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// S3 servers with real Object Lock, conditional writes and checksums. test/interop/install-s3-engine.sh builds the first one.

export interface S3Engine {
  readonly name: string
  /** Undefined when it is not installed. */
  readonly binary: string | undefined
  /** Why its tests are left out, and what to do about it. */
  readonly missing: string
  start(): Promise<RunningS3>
}

export interface RunningS3 {
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  stop(): Promise<void>
}

const KEYS = { accessKeyId: 'interop', secretAccessKey: 'interop-interop-interop' }
const REGION = 'us-east-1'

/** As in install-s3-engine.sh. */
const VERSITY_VERSION = 'v1.8.0'
const CACHE =
  process.env.MAILSLUICE_ENGINES ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mailsluice-engines')

export const versity: S3Engine = {
  name: 'Versity S3 Gateway',
  binary: firstExecutable(
    process.env.MAILSLUICE_VERSITYGW,
    join(CACHE, `versitygw-${VERSITY_VERSION}`),
    onPath('versitygw'),
  ),
  missing:
    'not found at MAILSLUICE_VERSITYGW, in the cache or on PATH: run test/interop/install-s3-engine.sh',
  start: () =>
    start(versity.binary, (port, folder) => ({
      // Objects, their versions, and the rest in extended attributes: needs a file system that has them.
      args: [
        '--quiet',
        '--keep-alive',
        '--port',
        `127.0.0.1:${port}`,
        '--region',
        REGION,
        'posix',
        '--versioning-dir',
        join(folder, 'versions'),
        join(folder, 'objects'),
      ],
      environment: { ROOT_ACCESS_KEY: KEYS.accessKeyId, ROOT_SECRET_KEY: KEYS.secretAccessKey },
    })),
}

export const minio: S3Engine = {
  name: 'MinIO',
  binary: firstExecutable(process.env.MAILSLUICE_MINIO, onPath('minio')),
  missing: 'not found at MAILSLUICE_MINIO or on PATH',
  start: () =>
    start(minio.binary, (port, folder) => ({
      args: ['server', '--quiet', '--address', `127.0.0.1:${port}`, join(folder, 'objects')],
      environment: {
        MINIO_ROOT_USER: KEYS.accessKeyId,
        MINIO_ROOT_PASSWORD: KEYS.secretAccessKey,
        MINIO_BROWSER: 'off',
      },
    })),
}

interface Invocation {
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

async function start(
  binary: string | undefined,
  invocation: (port: number, folder: string) => Invocation,
): Promise<RunningS3> {
  if (!binary) throw new TypeError('the engine is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-s3-'))
  await mkdir(join(folder, 'objects'))
  await mkdir(join(folder, 'versions'))
  const port = await freePort()
  const { args, environment } = invocation(port, folder)
  const server = spawn(binary, args, {
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
    throw new Error(`${binary} does not start: ${said}`, { cause: error })
  }
  return { endpoint, region: REGION, credentials: KEYS, stop }
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

function onPath(name: string): string | undefined {
  return firstExecutable(...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)))
}

function firstExecutable(...paths: readonly (string | undefined)[]): string | undefined {
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
