import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Credentials } from '../../shared/credentials/credentials.ts'
import { openCredentials } from '../../shared/credentials/open.ts'

const SECRET = 'correct-horse-battery'

describe('the version of a secret', () => {
  let folder: string
  let credentials: Credentials
  /** What the stores of AWS answer: version by name. */
  const stored: Record<string, number> = {}
  const server = createServer((request, response) => void answer(request, response))
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray()).toString()
    const { Name, SecretId } = JSON.parse(body) as { Name?: string; SecretId?: string }
    const version = stored[Name ?? SecretId ?? '']
    response.writeHead(version === undefined ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' })
    const found = Name
      ? { Parameter: { Name, Type: 'SecureString', Value: SECRET, Version: version } }
      : { Name: SecretId, SecretString: SECRET, VersionId: `id-${version}` }
    response.end(JSON.stringify(version === undefined ? { __type: 'ParameterNotFound' } : found))
  }
  const settings = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
  }
  const saved = Object.keys(settings).map((name) => [name, process.env[name]] as const)
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailsluice-version-'))
    Object.assign(process.env, settings)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const endpoints = { ssm: endpoint, secretsManager: endpoint }
    credentials = openCredentials({ environment: { NAME: SECRET }, folder, endpoints })
  })
  after(async () => {
    for (const [name, value] of saved)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    server.close()
    server.closeAllConnections()
    await rm(folder, { recursive: true })
  })

  test('of a file is another one after it was written anew, and none while it is not there', async () => {
    const path = join(folder, 'password')
    assert.equal(await credentials.version('file:password'), undefined)
    await writeFile(path, SECRET, { mode: 0o600 })
    const first = await credentials.version('file:password')
    await chmod(path, 0o400)
    assert.equal(await credentials.version('file:password'), first)
    await rm(path)
    await writeFile(path, SECRET.toUpperCase())

    assert.notEqual(first, undefined)
    assert.notEqual(await credentials.version('file:password'), first)
  })

  for (const reference of ['ssm:/mail/password', 'secretsmanager:mail/password'])
    test(`of ${reference} is that of the store, and none while it is not there`, async () => {
      const name = reference.slice(reference.indexOf(':') + 1)
      assert.equal(await credentials.version(reference), undefined)
      stored[name] = 7
      const first = await credentials.version(reference)
      assert.equal(await credentials.version(reference), first)
      stored[name] = 8

      assert.match(String(first), /^(id-)?7$/)
      assert.notEqual(await credentials.version(reference), first)
    })

  test('of the environment is none: it lasts as long as the process', async () => {
    assert.equal(await credentials.version('env:NAME'), undefined)
  })
})
