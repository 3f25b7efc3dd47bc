import assert from 'node:assert/strict'
import { join } from 'node:path'
import { ERROR_CODES, type ErrorCode } from '../../shared/errors.ts'
import { AUTHORITY, goodServer, MAILS, type Protocol, type Served } from './bad-servers.ts'
import { CliFolder, type CliResult, jsonLines, runCli } from './cli.ts'

export const ENVIRONMENT: Readonly<Record<string, string>> = { PASSWORD: 'testpass' }

/** Drains of one mailbox, `orders`, by the command line: each case in a place of its own. Close it, and its servers are closed and it is removed. */
export class DrainFolder extends CliFolder {
  readonly #serving: Served[] = []

  constructor() {
    super()
    this.write('ca.pem', AUTHORITY.caPem)
  }

  /** Until the folder is closed. */
  async serve(starting: Promise<Served>): Promise<Served> {
    const server = await starting
    this.#serving.push(server)
    return server
  }

  async drainFrom(served: Served, place: string, environment = ENVIRONMENT): Promise<CliResult> {
    return runCli(['drain', ...this.of(place, served)], environment)
  }

  /** The options of a place; with a server they are those of its configuration from now on. */
  of(place: string, served?: Served): string[] {
    if (served) this.config(`${place}.yaml`, served.settings)
    return ['--config', join(this.path, `${place}.yaml`), this.local(place)]
  }

  /** A drain from a good server leaves every message archived and announced, once. */
  async assertRecovers(protocol: Protocol, place: string, mails: readonly string[] = MAILS): Promise<void> {
    const drained = await this.drainFrom(await this.serve(goodServer(protocol, mails)), place)
    assert.equal(drained.status, 0, drained.stderr)
    const arguments_ = ['--json', ...this.of(place)]
    const [verified] = jsonLines((await runCli(['ledger', 'verify', ...arguments_])).stdout)
    assert.deepEqual(
      [verified?.ok, verified?.messages, verified?.pending, verified?.unrecorded],
      [true, mails.length, 0, []],
    )
    const events = jsonLines(
      (await runCli(['events', 'receive', '--max', '100', '--wait', '0', ...arguments_])).stdout,
    )
    const archived = events.filter(({ type }) => type === 'mailsluice.message.archived.v1')
    assert.deepEqual(
      archived.map(({ data }) => (data as { message: { subject: string } }).message.subject).sort(),
      mails.map((mail) => /^Subject: (.*)\r$/m.exec(mail)?.[1]).sort(),
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.#serving.map((server) => server.close()))
    this.remove()
  }
}

/** Status 1, and on stderr the mailbox, the code, what is said and what to do about it. */
export function assertTold(
  { status, stderr }: Pick<CliResult, 'stderr'> & { status: number | null },
  code: ErrorCode,
  said: RegExp,
): void {
  assert.equal(status, 1, stderr)
  const line = stderr
    .split('\n')
    .findIndex((line) => line.startsWith('mailsluice: orders') && line.includes(`: ${code}: `))
  assert.notEqual(line, -1, stderr)
  const [told = '', remedy = ''] = stderr.split('\n').slice(line)
  assert.match(told, said)
  assert.equal(remedy, `  ${ERROR_CODES[code].remedy}`)
  assert.doesNotMatch(stderr, /testpass/)
}
