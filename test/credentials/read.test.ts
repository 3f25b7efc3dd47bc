import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Credentials } from '../../shared/credentials/credentials.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import { type ErrorCode, IngestError } from '../../shared/errors.ts'
import { CREDENTIALS } from '../../shared/limits.ts'
import { type ScriptedSecrets, type SecretAnswer, startScriptedSecrets } from '../support/scripted-secrets.ts'

const SECRET = 'correct horse battery'

/** Nothing that is said, nor what it was caused by, has the secret in it. */
async function refused(work: Promise<string>, code: ErrorCode, message: RegExp): Promise<void> {
  const error = await work.then(
    (secret) => assert.fail(`resolved to ${secret}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof IngestError, String(error))
  assert.equal(error.code, code)
  assert.match(error.message, message)
  for (let each: unknown = error; each instanceof Error; each = each.cause)
    assert.doesNotMatch(`${each.message} ${each.stack}`, /correct|horse|battery/)
}

describe('a secret in the environment', () => {
  const { password } = openCredentials({ environment: { GOOD: ` ${SECRET}\n`, EMPTY: '' }, folder: '/' })

  test('is taken as it is', async () => {
    assert.equal(await password('env:GOOD'), ` ${SECRET}\n`)
  })

  for (const name of ['EMPTY', 'UNSET'])
    test(`that is ${name.toLowerCase()} is missing`, () =>
      refused(
        password(`env:${name}`),
        'CREDENTIAL_MISSING',
        new RegExp(`env:${name}: the environment variable ${name} is not set`),
      ))

  test('is not looked for in the process', async () => {
    assert.notEqual(process.env.PATH, undefined)
    await refused(password('env:PATH'), 'CREDENTIAL_MISSING', /PATH is not set/)
  })
})

describe('a secret in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-secret-'))
  const { password } = openCredentials({ environment: {}, folder })
  after(() => rmSync(folder, { recursive: true }))
  const write = (name: string, content: string | Buffer, mode = 0o600): string => {
    writeFileSync(join(folder, name), content, { mode })
    return `file:${name}`
  }

  const contents: readonly (readonly [string, string, string])[] = [
    ['without a line end', SECRET, SECRET],
    ['with a line end, as editors write it', `${SECRET}\n`, SECRET],
    ['with a line end of Windows', `${SECRET}\r\n`, SECRET],
    ['with two line ends, of which one is its own', `${SECRET}\n\n`, `${SECRET}\n`],
    ['with blanks around it, which are its own', ` ${SECRET} \n`, ` ${SECRET} `],
    ['with a byte order mark, which no password begins with', `\ufeff${SECRET}`, SECRET],
    ['with other letters than ASCII', 'pässwörd\n', 'pässwörd'],
  ]
  for (const [name, content, expected] of contents)
    test(`is read ${name}`, async () => {
      assert.equal(await password(write('content', content)), expected)
    })

  test('is found from the folder of the configuration, or by its whole path', async () => {
    mkdirSync(join(folder, 'below'))
    write('below/password', SECRET)
    assert.equal(await password('file:below/password'), SECRET)
    assert.equal(await password('file:./below/../below/password'), SECRET)
    assert.equal(await password(`file:${folder}/below/password`), SECRET)
  })

  test('is read anew each time', async () => {
    const reference = write('changing', 'old')
    assert.equal(await password(reference), 'old')
    write('changing', 'new')
    assert.equal(await password(reference), 'new')
  })

  for (const mode of [0o400, 0o600, 0o700])
    test(`is read when its owner alone may (mode ${mode.toString(8)})`, async () => {
      assert.equal(await password(write(`mode-${mode}`, SECRET, mode)), SECRET)
    })

  for (const mode of [0o640, 0o604, 0o644, 0o660, 0o620])
    test(`is refused when others may use it (mode ${mode.toString(8)})`, async () => {
      const reference = write(`mode-${mode}`, SECRET, mode)
      execFileSync('chmod', [mode.toString(8), join(folder, `mode-${mode}`)])
      await refused(
        password(reference),
        'CREDENTIAL_MISSING',
        new RegExp(`others may use it \\(mode ${mode.toString(8)}\\); run chmod 600`),
      )
    })

  const troubles: readonly (readonly [string, () => string, RegExp])[] = [
    ['that is not there', () => 'file:nowhere', /file:nowhere: there is no such file/],
    ['below a file', () => `${write('a-file', SECRET)}/below`, /cannot be read \(ENOTDIR\)/],
    ['that is empty', () => write('empty', ''), /it is empty/],
    ['that is a line end', () => write('line', '\n'), /it is empty/],
    ['that is a folder', () => 'file:.', /it is no file/],
    [
      'that is too long for a password',
      () => write('long', SECRET.repeat(10_000)),
      /it has 210000 octets; expected a password alone/,
    ],
    [
      'that is not UTF-8, which would be another password',
      () => write('latin', Buffer.from(`${SECRET} ü`, 'latin1')),
      /it is not UTF-8/,
    ],
  ]
  for (const [name, make, message] of troubles)
    test(`${name} is missing`, () => refused(password(make()), 'CREDENTIAL_MISSING', message))

  test('that is a pipe is not waited for', async () => {
    execFileSync('mkfifo', ['-m', '600', join(folder, 'pipe')])
    await refused(password('file:pipe'), 'CREDENTIAL_MISSING', /it is no file/)
  })
})

test('a reference of no known kind is missing, and not quoted beyond its name', async () => {
  const { password } = openCredentials({ environment: {}, folder: '/' })
  await refused(
    password('vault:x'),
    'CREDENTIAL_MISSING',
    /expected env:NAME, file:PATH, ssm:NAME or secretsmanager:ID/,
  )
})

describe('a secret at AWS', () => {
  const settings = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_MAX_ATTEMPTS: '2',
  }
  const saved = Object.keys(settings).map((name) => [name, process.env[name]] as const)
  let store: ScriptedSecrets
  let credentials: Credentials

  before(async () => {
    Object.assign(process.env, settings)
    store = await startScriptedSecrets()
    const endpoints = { ssm: store.endpoint, secretsManager: store.endpoint }
    credentials = openCredentials({ environment: {}, folder: '/', endpoints })
  })
  after(async () => {
    for (const [name, value] of saved)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    await store.close()
  })

  const parameter = (facts: object): SecretAnswer => ({
    status: 200,
    content: { Parameter: { Name: '/a', ...facts } },
  })
  const secret = (facts: object): SecretAnswer => ({
    status: 200,
    content: { ARN: 'arn:a', Name: 'a', ...facts },
  })
  const fails = (status: number, type: string): SecretAnswer => ({
    status,
    content: { __type: type, message: 'not for arn:aws:iam::123456789012:user/mail' },
  })
  const stores = [
    {
      reference: 'ssm:/a',
      found: parameter({ Type: 'SecureString', Value: SECRET }),
      asks: 'AmazonSSM.GetParameter {"Name":"/a","WithDecryption":true}',
      absent: 'ParameterNotFound',
    },
    {
      reference: 'secretsmanager:a',
      found: secret({ SecretString: SECRET }),
      asks: 'secretsmanager.GetSecretValue {"SecretId":"a"}',
      absent: 'ResourceNotFoundException',
    },
  ] as const

  for (const { reference, found, asks, absent } of stores)
    describe(reference, () => {
      test('is asked for by its name, decrypted', async () => {
        store.answer(found)
        assert.equal(await credentials.password(reference), SECRET)
        assert.deepEqual(store.requests, [asks])
      })

      const refusals: readonly (readonly [string, string])[] = [
        ['that is not there', absent],
        ['that may not be read', 'AccessDeniedException'],
        ['whose key may not be used', 'KMSAccessDeniedException'],
        ['asked for with keys that are none', 'UnrecognizedClientException'],
      ]
      for (const [name, type] of refusals)
        test(`${name} is missing, and asked for once`, async () => {
          store.answer(fails(400, type))
          await refused(
            credentials.password(reference),
            'CREDENTIAL_MISSING',
            new RegExp(`^credential ${reference}: AWS answered ${type}$`),
          )
          assert.equal(store.requests.length, 1)
        })

      test('is asked for again when the store is busy', async () => {
        store.answer(fails(400, 'ThrottlingException'), found)
        assert.equal(await credentials.password(reference), SECRET)
      })

      const outages: readonly (readonly [string, SecretAnswer])[] = [
        ['stays busy', fails(400, 'ThrottlingException')],
        ['is broken', fails(500, 'InternalServerError')],
        ['is behind something that is broken', (response) => response.writeHead(502).end(`<html>${SECRET}`)],
        ['hangs up', (response) => response.destroy()],
        [
          'hangs up in the middle',
          (response) =>
            response
              .writeHead(200, { 'content-length': 1000 })
              .write(`{"Parameter":{"Value":"${SECRET}"`, () => response.destroy()),
        ],
        ['says nothing', () => {}],
        ['says what is no JSON', (response) => response.end(`{"SecretString":"${SECRET}" ${SECRET}`)],
      ]
      for (const [name, answer] of outages)
        test(`is not taken for missing while the store ${name}`, async () => {
          const { storeRequestMs } = CREDENTIALS
          Object.assign(CREDENTIALS, { storeRequestMs: 300 })
          try {
            store.answer(answer)
            await refused(
              credentials.password(reference),
              'SECRET_STORE_UNAVAILABLE',
              new RegExp(`^credential ${reference}: `),
            )
          } finally {
            Object.assign(CREDENTIALS, { storeRequestMs })
          }
        })
    })

  const kinds: readonly (readonly [string, string, SecretAnswer, RegExp])[] = [
    [
      'a parameter that anybody may read',
      'ssm:/a',
      parameter({ Type: 'String', Value: SECRET }),
      /it is a String; expected a SecureString/,
    ],
    [
      'a list of parameters',
      'ssm:/a',
      parameter({ Type: 'StringList', Value: SECRET }),
      /it is a StringList/,
    ],
    ['an empty parameter', 'ssm:/a', parameter({ Type: 'SecureString', Value: '' }), /it is empty/],
    ['no parameter', 'ssm:/a', { status: 200, content: {} }, /it is a parameter without type/],
    [
      'a binary secret',
      'secretsmanager:a',
      secret({ SecretBinary: Buffer.from(SECRET).toString('base64') }),
      /it has no SecretString; expected the password as text/,
    ],
    ['an empty secret', 'secretsmanager:a', secret({ SecretString: '' }), /it has no SecretString/],
  ]
  for (const [name, reference, answer, message] of kinds)
    test(`${name} is no password`, () => {
      store.answer(answer)
      return refused(credentials.password(reference), 'CREDENTIAL_MISSING', message)
    })

  test('where nobody listens is not taken for missing', async () => {
    const nowhere = 'http://127.0.0.1:1'
    const { password } = openCredentials({
      environment: {},
      folder: '/',
      endpoints: { ssm: nowhere, secretsManager: nowhere },
    })
    for (const { reference } of stores)
      await refused(password(reference), 'SECRET_STORE_UNAVAILABLE', /AWS was not reached: ECONNREFUSED/)
  })
})
