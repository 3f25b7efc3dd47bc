import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const BOOTSTRAP = fileURLToPath(new URL('lambda-bootstrap.ts', import.meta.url))

export interface FunctionOptions {
  /** With index.mjs. */
  readonly folder: string
  readonly name: string
  /** All that it is told, besides what Lambda itself sets. */
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/** What an invocation came to; `errorType` is Lambda's own for a process that died (`Runtime.ExitError`) or took too long (`Sandbox.Timedout`). */
export type Invocation =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string }

interface Waiting {
  readonly id: string
  readonly event: unknown
  readonly timeoutMs: number
  settle(invocation: Invocation): void
}

/**
 * One function as Lambda runs it: a process that loads the bundle and asks the Runtime API for invocations, one at a time, is ended when one takes
 * too long, and is replaced by a new one when it has died. `stop` it.
 */
export class LambdaFunction {
  readonly #options: FunctionOptions
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #process: ChildProcess | undefined
  #next: Waiting | undefined
  /** The process asks for work. */
  #idle: ServerResponse | undefined
  #current: (Waiting & { readonly timer: NodeJS.Timeout }) | undefined
  #log = ''
  /** Processes that were started: cold starts. */
  starts = 0

  private constructor(options: FunctionOptions) {
    this.#options = options
  }

  static async open(options: FunctionOptions): Promise<LambdaFunction> {
    const self = new LambdaFunction(options)
    self.#server.listen(0, '127.0.0.1')
    await once(self.#server, 'listening')
    return self
  }

  /** Resolves when the invocation has ended, however it did. One at a time. */
  invoke(event: unknown, timeoutMs: number = this.#options.timeoutMs): Promise<Invocation> {
    if (this.#next || this.#current) throw new TypeError('one invocation at a time')
    return new Promise((settle) => {
      this.#next = { id: randomUUID(), event, timeoutMs, settle }
      this.#process ??= this.#start()
      this.#give()
    })
  }

  /** Ends the process in the middle of whatever it does. */
  kill(): void {
    this.#process?.kill('SIGKILL')
  }

  /** Lines that the function wrote, those of its earlier processes too. */
  get lines(): readonly string[] {
    return this.#log.split('\n').filter((line) => line !== '')
  }

  /** Lines that are JSON objects: the log and the metrics. */
  get records(): readonly Readonly<Record<string, unknown>>[] {
    return this.lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Of its process. @default 0 before it has started */
  get processId(): number {
    return this.#process?.pid ?? 0
  }

  async stop(): Promise<void> {
    if (this.#process) {
      const exited = once(this.#process, 'exit')
      this.kill()
      await exited
    }
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #start(): ChildProcess {
    const { folder, name, environment } = this.#options
    this.starts++
    const child = spawn(process.execPath, [BOOTSTRAP, join(folder, 'index.mjs')], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...lambdaEnvironment(name, this.#server.address() as AddressInfo), ...environment },
    })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString('utf8')
      })
    child.once('exit', (status, signal) => {
      this.#process = undefined
      this.#idle = undefined
      this.#settle({
        ok: false,
        errorType: 'Runtime.ExitError',
        errorMessage: `the process ended: ${signal ?? `status ${status}`}\n${this.#log.slice(-2000)}`,
      })
    })
    return child
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.replace('/2018-06-01/runtime/', '') ?? ''
    if (path === 'invocation/next') {
      this.#idle = response
      this.#give()
      return
    }
    const body = JSON.parse(await text(request)) as { errorType: string; errorMessage: string }
    response.writeHead(202).end('{}')
    if (path.endsWith('/response')) this.#settle({ ok: true, result: body })
    else this.#settle({ ok: false, errorType: body.errorType, errorMessage: body.errorMessage })
  }

  #give(): void {
    const [response, next] = [this.#idle, this.#next]
    if (!response || !next) return
    this.#idle = undefined
    this.#next = undefined
    const timer = setTimeout(() => {
      this.#settle({
        ok: false,
        errorType: 'Sandbox.Timedout',
        errorMessage: `it took longer than ${next.timeoutMs} ms`,
      })
      this.kill()
    }, next.timeoutMs)
    this.#current = { ...next, timer }
    response.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': next.id,
      'lambda-runtime-deadline-ms': String(Date.now() + next.timeoutMs),
      'lambda-runtime-invoked-function-arn': `arn:aws:lambda:us-east-1:000000000000:function:${this.#options.name}`,
    })
    response.end(JSON.stringify(next.event))
  }

  /** Also of an invocation that never reached the process, for that could not start. */
  #settle(invocation: Invocation): void {
    const ended = this.#current ?? this.#next
    clearTimeout(this.#current?.timer)
    this.#current = undefined
    this.#next = undefined
    ended?.settle(invocation)
  }
}

/** What Lambda sets in every function, and a path to find `node` with. */
function lambdaEnvironment(name: string, { port }: AddressInfo): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'test',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
  }
}
