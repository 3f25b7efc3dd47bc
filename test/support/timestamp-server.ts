import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A timestamp authority (RFC 3161): OpenSSL's own, behind HTTP. */
export interface TimestampServer {
  readonly url: string
  /** Certificate that its tokens are checked against. */
  readonly certificate: string
  /** From now on every answer is this one. */
  answer(status: number, body: Buffer): void
  /** Granted by now. */
  readonly responses: readonly Buffer[]
  close(): Promise<void>
}

/** Undefined where there is no `openssl`. */
export async function startTimestampServer(): Promise<TimestampServer | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-tsa-'))
  const file = (name: string): string => join(folder, name)
  const openssl = (...words: string[]): Buffer =>
    execFileSync('openssl', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  writeFileSync(
    file('tsa.cnf'),
    `[tsa]
default_tsa = settings
[settings]
serial = ${file('serial')}
signer_cert = ${file('tsa.pem')}
signer_key = ${file('tsa.key')}
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
[req]
distinguished_name = name
prompt = no
[name]
CN = Test authority
[extensions]
extendedKeyUsage = critical,timeStamping
`,
  )
  try {
    openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-config', file('tsa.cnf')],
      ...['-extensions', 'extensions', '-keyout', file('tsa.key'), '-out', file('tsa.pem')],
    )
  } catch (error) {
    rmSync(folder, { recursive: true })
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const responses: Buffer[] = []
  let fixed: { status: number; body: Buffer } | undefined
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (fixed) {
        response.writeHead(fixed.status).end(fixed.body)
        return
      }
      writeFileSync(file('query'), Buffer.concat(chunks))
      const answer = openssl('ts', '-reply', '-config', file('tsa.cnf'), '-queryfile', file('query'))
      responses.push(answer)
      response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    certificate: readFileSync(file('tsa.pem'), 'utf8'),
    responses,
    answer(status, body) {
      fixed = { status, body }
    },
    async close() {
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true })
    },
  }
}
