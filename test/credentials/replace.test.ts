import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { replaceFilePassword } from '../../shared/credentials/file-replace.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import { IngestError } from '../../shared/errors.ts'
import { CREDENTIALS } from '../../shared/limits.ts'

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail('it was done'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof IngestError, String(error))
  return error.code
}

describe('a secret in a file is replaced', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailsluice-replace-'))
  })
  after(() => rm(folder, { recursive: true }))
  const write = (name: string, secret: string): Promise<void> =>
    writeFile(join(folder, name), `${secret}\n`, { mode: 0o600 })
  const read = async (name: string): Promise<string> => (await readFile(join(folder, name), 'utf8')).trimEnd()
  const left = async (name: string): Promise<string[]> =>
    (await readdir(folder)).filter((entry) => entry.startsWith(`${name}.`))

  test('when it is what was read, readable by its owner alone, and nothing is left beside it', async () => {
    await write('a', 'old')
    assert.equal(await replaceFilePassword('a', folder, 'old', 'new'), true)
    assert.equal(await read('a'), 'new')
    assert.equal((await stat(join(folder, 'a'))).mode & 0o777, 0o600)
    assert.deepEqual(await left('a'), [])
  })

  test('not when there is another one by now', async () => {
    await write('b', 'theirs')
    assert.equal(await replaceFilePassword('b', folder, 'old', 'new'), false)
    assert.equal(await read('b'), 'theirs')
    assert.deepEqual(await left('b'), [])
  })

  test('by one of many who try at the same moment', async () => {
    for (let round = 0; round < 100; round++) {
      await write('c', 'old')
      const names = Array.from({ length: 10 }, (_, index) => `new-${index}`)
      const won = await Promise.all(names.map((name) => replaceFilePassword('c', folder, 'old', name)))
      assert.equal(won.filter(Boolean).length, 1, `round ${round}`)
      assert.equal(await read('c'), names[won.indexOf(true)])
      assert.deepEqual(await left('c'), [])
    }
  })

  test('with what a killed process had ready, before anything else', async () => {
    await write('d', 'old')
    const { ino, mtimeMs } = await stat(join(folder, 'd'))
    const next = `d.${ino}-${mtimeMs}.next`
    await write(next, 'of the dead')
    const longAgo = new Date(Date.now() - 2 * CREDENTIALS.fileLeftMs)
    await utimes(join(folder, next), longAgo, longAgo)
    assert.equal(await replaceFilePassword('d', folder, 'old', 'new'), false)
    assert.equal(await read('d'), 'of the dead')
    assert.equal(await replaceFilePassword('d', folder, 'of the dead', 'new'), true)
    assert.deepEqual(await left('d'), [])
  })

  test('or says that it cannot be', {
    skip: process.getuid?.() === 0 && 'root may write everywhere',
  }, async () => {
    await write('e', 'old')
    await chmod(folder, 0o500)
    try {
      assert.equal(await codeOf(replaceFilePassword('e', folder, 'old', 'new')), 'CREDENTIAL_UNSAVED')
    } finally {
      await chmod(folder, 0o700)
    }
  })

  test('which the environment never is', async () => {
    const credentials = openCredentials({ environment: { A: 'old' }, folder })
    assert.equal(await codeOf(credentials.replace('env:A', 'old', 'new')), 'CREDENTIAL_UNSAVED')
  })
})

describe('a secret at AWS', () => {
  /** Parameter Store and Secrets Manager, as far as they are used, with the conditions that Secrets Manager puts on labels. */
  const parameters = new Map<string, { value: string; version: number; keyId: string }>()
  const versions = new Map<string, string>()
  let current = ''
  /** Runs before the request of this name is answered. */
  let before_: { target: string; run: () => void } | undefined
  let failing: { status: number; type: string } | undefined
  const seen: { target: string; body: Record<string, unknown> }[] = []

  const server = createServer((request, response) => void answer(request, response))
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = String(request.headers['x-amz-target']).split('.').at(-1) ?? ''
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Record<string, unknown>
    seen.push({ target, body })
    if (before_?.target === target) {
      const { run } = before_
      before_ = undefined
      run()
    }
    const [status, said] = failing ? [failing.status, { __type: failing.type }] : answerOf(target, body)
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify(said))
  }
  function answerOf(target: string, body: Record<string, unknown>): [number, object] {
    const name = String(body.Name ?? '')
    const parameter = parameters.get(name)
    switch (target) {
      case 'GetParameter':
        if (!parameter) return [400, { __type: 'ParameterNotFound' }]
        return [
          200,
          { Parameter: { Type: 'SecureString', Value: parameter.value, Version: parameter.version } },
        ]
      case 'DescribeParameters': {
        const [{ Values = [] } = {}] = body.ParameterFilters as { Values?: string[] }[]
        const found = parameters.get(Values[0] ?? '')
        return [200, { Parameters: found ? [{ Name: Values[0], KeyId: found.keyId }] : [] }]
      }
      case 'PutParameter':
        parameters.set(name, {
          value: String(body.Value),
          version: (parameter?.version ?? 0) + 1,
          keyId: String(body.KeyId),
        })
        return [200, { Version: parameters.get(name)?.version }]
      case 'GetSecretValue':
        return [200, { SecretString: versions.get(current), VersionId: current }]
      case 'PutSecretValue': {
        const id = String(body.ClientRequestToken)
        versions.set(id, String(body.SecretString))
        if ((body.VersionStages as string[]).includes('AWSCURRENT')) current = id
        return [200, { VersionId: id }]
      }
      case 'UpdateSecretVersionStage':
        if (body.RemoveFromVersionId !== current) return [400, { __type: 'InvalidParameterException' }]
        current = String(body.MoveToVersionId)
        return [200, {}]
      default:
        return [400, { __type: 'UnknownOperationException' }]
    }
  }

  const settings = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_MAX_ATTEMPTS: '1',
  }
  const saved = Object.keys(settings).map((name) => [name, process.env[name]] as const)
  let credentials: ReturnType<typeof openCredentials>
  before(async () => {
    Object.assign(process.env, settings)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    credentials = openCredentials({
      environment: {},
      folder: '/',
      endpoints: { ssm: endpoint, secretsManager: endpoint },
    })
  })
  after(() => {
    for (const [name, value] of saved)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    server.close()
    server.closeAllConnections()
  })

  test('Parameter Store: replaced under the key that it had', async () => {
    parameters.set('/a', { value: 'old', version: 3, keyId: 'alias/ours' })
    assert.equal(await credentials.replace('ssm:/a', 'old', 'new'), true)
    assert.deepEqual(parameters.get('/a'), { value: 'new', version: 4, keyId: 'alias/ours' })
    assert.equal(seen.at(-1)?.body.Type, 'SecureString')
  })

  test('Parameter Store: not replaced when there is another one by now', async () => {
    parameters.set('/a', { value: 'theirs', version: 9, keyId: 'k' })
    assert.equal(await credentials.replace('ssm:/a', 'old', 'new'), false)
    assert.equal(parameters.get('/a')?.value, 'theirs')
  })

  test('Secrets Manager: becomes the current version', async () => {
    versions.set('v1', 'old')
    current = 'v1'
    assert.equal(await credentials.replace('secretsmanager:s', 'old', 'new'), true)
    assert.equal(versions.get(current), 'new')
  })

  test('Secrets Manager: whoever was faster keeps the current version, also in the last instant', async () => {
    versions.set('v1', 'old').set('v2', 'theirs')
    current = 'v1'
    before_ = { target: 'UpdateSecretVersionStage', run: () => (current = 'v2') }
    assert.equal(await credentials.replace('secretsmanager:s', 'old', 'new'), false)
    assert.equal(versions.get(current), 'theirs')
    assert.equal(await credentials.replace('secretsmanager:s', 'old', 'new'), false)
  })

  test('that may not be written is said so, and one whose store is ill is not taken for missing', async () => {
    parameters.set('/a', { value: 'old', version: 1, keyId: 'k' })
    for (const [status, type, expected] of [
      [400, 'AccessDeniedException', 'CREDENTIAL_UNSAVED'],
      [400, 'ThrottlingException', 'SECRET_STORE_UNAVAILABLE'],
      [500, 'InternalServerError', 'SECRET_STORE_UNAVAILABLE'],
    ] as const)
      for (const reference of ['ssm:/a', 'secretsmanager:s']) {
        failing = { status, type }
        assert.equal(
          await codeOf(credentials.replace(reference, 'old', 'new')),
          expected,
          `${reference} ${type}`,
        )
        const reading = expected === 'CREDENTIAL_UNSAVED' ? 'CREDENTIAL_MISSING' : expected
        assert.equal(await codeOf(credentials.password(reference)), reading, `${reference} ${type}`)
        failing = undefined
      }
  })
})
