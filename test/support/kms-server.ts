import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** KMS as far as a signer uses it, over its own protocol: one P-256 key. */
export interface KmsServer {
  readonly endpoint: string
  close(): Promise<void>
}

export interface KmsServerOptions {
  /** What it says of its key. @default ECC_NIST_P256 */
  readonly keySpec?: string
  /** Answered in place of an answer. */
  readonly fail?: { readonly status: number; readonly type: string }
}

export async function startKmsServer({
  keySpec = 'ECC_NIST_P256',
  fail,
}: KmsServerOptions = {}): Promise<KmsServer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const answerTo = (target: string, body: string): object => {
    if (target !== 'TrentService.Sign')
      return {
        KeySpec: keySpec,
        PublicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
      }
    const { Message } = JSON.parse(body) as { Message: string }
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    return { Signature: signDigest(pem, Buffer.from(Message, 'base64')).toString('base64') }
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const target = String(request.headers['x-amz-target'])
      const answer = fail
        ? { __type: fail.type, message: 'said KMS' }
        : answerTo(target, Buffer.concat(chunks).toString())
      response.writeHead(fail?.status ?? 200, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Node hashes what it signs; KMS is given a digest. */
function signDigest(pem: string, digest: Buffer): Buffer {
  const key = join(tmpdir(), `mailsluice-kms-${randomUUID()}.pem`)
  writeFileSync(key, pem, { mode: 0o600 })
  try {
    return execFileSync('openssl', ['pkeyutl', '-sign', '-inkey', key], { input: digest })
  } finally {
    rmSync(key)
  }
}
