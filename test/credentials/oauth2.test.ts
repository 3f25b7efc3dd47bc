import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, describe, test } from 'node:test'
import type { Login, LoginSecret, LoginSettings } from '../../shared/credentials/credentials.ts'
import { openLogins } from '../../shared/credentials/logins.ts'
import { IngestError } from '../../shared/errors.ts'
import { CREDENTIALS } from '../../shared/limits.ts'
import { makeAuthority } from '../support/certificates.ts'
import { MemorySecrets } from '../support/secret-store.ts'
import { startTokenServer, type TokenServer, type TokenServerOptions } from '../support/token-server.ts'

const MINUTE_MS = 60_000
const CLIENT_SECRET = 'cs~marked-client-secret'
const REFRESH_TOKEN = 'rt-marked-refresh-token'
const authority = makeAuthority()
const rsa = authority.issue({ names: ['mailsluice'], key: 'rsa' })
const ec = authority.issue({ names: ['mailsluice'], key: 'ec' })
const account = generateKeyPairSync('rsa', { modulusLength: 2048 })
const KEY_FILE = JSON.stringify({
  type: 'service_account',
  client_email: 'sluice@project.iam.gserviceaccount.com',
  private_key: account.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  private_key_id: 'key-1',
})
const KNOWN: TokenServerOptions = {
  clients: {
    app: { secret: CLIENT_SECRET },
    'rsa-app': { certificatePem: rsa.certPem },
    'ec-app': { certificatePem: ec.certPem },
    public: {},
  },
  accounts: {
    'sluice@project.iam.gserviceaccount.com': {
      publicKey: account.publicKey,
      users: ['jane@example.com', 'joe@example.com'],
    },
  },
  refreshTokens: { [REFRESH_TOKEN]: 'jane@example.com' },
}

const closing: (() => Promise<void>)[] = []
after(() => Promise.all(closing.map((close) => close())))

async function serve(options: TokenServerOptions = {}): Promise<TokenServer> {
  const server = await startTokenServer({ ...KNOWN, ...options })
  closing.push(server.close)
  return server
}

interface World {
  readonly server: TokenServer
  readonly secrets: MemorySecrets
  readonly login: (changes?: Partial<LoginSettings>) => Login
  wait(milliseconds: number): void
}

/** A mailbox with a credential of one grant, on a token server, with a clock that can be set. */
function world(
  server: TokenServer,
  grant: 'client-credentials' | 'service-account' | 'refresh-token',
  secret: string,
  clientId?: string,
): World {
  let aheadMs = 0
  const secrets = new MemorySecrets({ 'ssm:/secret': secret })
  const login = openLogins({ store: secrets, now: () => new Date(Date.now() + aheadMs) })
  const settings: LoginSettings = {
    user: 'jane@example.com',
    credential: 'ssm:/secret',
    auth: 'oauth2',
    oauth2: { grant, tokenUrl: server.url, scope: 'mail', ...(clientId === undefined ? {} : { clientId }) },
  }
  return {
    server,
    secrets,
    login: (changes = {}) => login({ ...settings, ...changes }),
    wait: (milliseconds) => {
      aheadMs += milliseconds
    },
  }
}

async function tokenOf(login: Login): Promise<string> {
  const secret = await login.secret()
  assert.equal(secret.kind, 'access-token')
  return secret.kind === 'access-token' ? secret.accessToken : ''
}

async function refusedWith(work: Promise<unknown>): Promise<IngestError> {
  const error = await work.then(
    () => assert.fail('it was accepted'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof IngestError, String(error))
  return error
}

describe('an access token is had', () => {
  const cases = [
    ['with a client secret', 'client-credentials', CLIENT_SECRET, 'app'],
    [
      'with a client secret in JSON',
      'client-credentials',
      JSON.stringify({ clientSecret: CLIENT_SECRET }),
      'app',
    ],
    ['with a certificate on an RSA key', 'client-credentials', `${rsa.keyPem}${rsa.certPem}`, 'rsa-app'],
    [
      'with a certificate in JSON',
      'client-credentials',
      JSON.stringify({ privateKey: rsa.keyPem, certificate: rsa.certPem }),
      'rsa-app',
    ],
    ['with a certificate on an elliptic curve', 'client-credentials', `${ec.certPem}${ec.keyPem}`, 'ec-app'],
    ['as a service account', 'service-account', KEY_FILE, undefined],
    ['with a refresh token of a public client', 'refresh-token', REFRESH_TOKEN, 'public'],
    [
      'with a refresh token and a client secret',
      'refresh-token',
      JSON.stringify({ refreshToken: REFRESH_TOKEN, clientSecret: CLIENT_SECRET }),
      'app',
    ],
  ] as const
  for (const [name, grant, secret, clientId] of cases)
    test(name, async () => {
      const { server, login } = world(await serve(), grant, secret, clientId)

      assert.ok(server.userOf(await tokenOf(login())))
      assert.equal(server.requests[0]?.get('scope') ?? server.claims[0]?.scope, 'mail')
    })

  test('by an assertion that names the certificate and lasts minutes', async () => {
    const { server, login } = world(
      await serve(),
      'client-credentials',
      `${rsa.keyPem}${rsa.certPem}`,
      'rsa-app',
    )
    await login().secret()

    const [header = ''] = server.requests[0]?.get('client_assertion')?.split('.') ?? []
    const { alg, typ, ...more } = JSON.parse(Buffer.from(header, 'base64url').toString())
    assert.deepEqual([alg, typ], ['PS256', 'JWT'])
    assert.match(more['x5t#S256'], /^[\w-]{43}$/)
    const { iat = 0, exp = 0, sub, jti } = server.claims[0] ?? {}
    assert.ok(exp - iat <= 600)
    assert.equal(sub, 'rsa-app')
    assert.ok(jti)
  })

  test('for each user of a service account by itself', async () => {
    const { server, login } = world(await serve(), 'service-account', KEY_FILE)
    const tokens = await Promise.all([tokenOf(login()), tokenOf(login({ user: 'joe@example.com' }))])

    assert.deepEqual(
      tokens.map((token) => server.userOf(token)),
      ['jane@example.com', 'joe@example.com'],
    )
  })
})

describe('an access token is kept', () => {
  test('until shortly before it expires', async () => {
    const { server, login, wait } = world(await serve(), 'client-credentials', CLIENT_SECRET, 'app')
    const first = await tokenOf(login())
    wait(60 * MINUTE_MS - CREDENTIALS.tokenMarginMs - MINUTE_MS)
    assert.equal(await tokenOf(login()), first)
    wait(2 * MINUTE_MS)
    assert.notEqual(await tokenOf(login()), first)
    assert.equal(server.requests.length, 2)
  })

  test('for half of its life when that is short', async () => {
    const short = await serve({ lifetimeSeconds: 60 })
    const { server, login, wait } = world(short, 'client-credentials', CLIENT_SECRET, 'app')
    await login().secret()
    wait(20_000)
    await login().secret()
    assert.equal(server.requests.length, 1)
    wait(20_000)
    await login().secret()
    assert.equal(server.requests.length, 2)
  })

  test('for every mailbox of an application, and asked for once by all who wait', async () => {
    const { server, login } = world(await serve(), 'client-credentials', CLIENT_SECRET, 'app')
    const users = Array.from({ length: 100 }, (_, index) => `user${index}@example.com`)
    const tokens = await Promise.all(users.map((user) => tokenOf(login({ user }))))

    assert.equal(new Set(tokens).size, 1)
    assert.equal(server.requests.length, 1)
  })

  test('but not when the endpoint does not say for how long: then for minutes', async () => {
    const silent = await serve({
      answer: () => ({ status: 200, body: { access_token: 'abc', token_type: 'Bearer' } }),
    })
    const { login } = world(silent, 'client-credentials', CLIENT_SECRET, 'app')
    const secret = await login().secret()
    assert.ok(secret.kind === 'access-token')
    const lastsMs = secret.expiresAt.getTime() - Date.now()
    assert.ok(lastsMs <= CREDENTIALS.tokenUnsaidMs && lastsMs > 0)
  })
})

describe('a token endpoint that fails for a while', () => {
  const passing = [
    ['429', { status: 429, body: { error: 'too_many_requests' } }, 'THROTTLED'],
    ['500', { status: 500, body: 'oops' }, 'TOKEN_ENDPOINT_UNAVAILABLE'],
    ['503 with a page', { status: 503, body: '<html>' }, 'TOKEN_ENDPOINT_UNAVAILABLE'],
    [
      '500 with words of a refusal',
      { status: 500, body: { error: 'invalid_client' } },
      'TOKEN_ENDPOINT_UNAVAILABLE',
    ],
    ['504', { status: 504, body: '' }, 'TOKEN_ENDPOINT_UNAVAILABLE'],
    ['a page of a proxy', { status: 403, body: '<html>blocked</html>' }, 'TOKEN_ENDPOINT_UNAVAILABLE'],
    ['server_error in a 400', { status: 400, body: { error: 'server_error' } }, 'TOKEN_ENDPOINT_UNAVAILABLE'],
    [
      'temporarily_unavailable',
      { status: 400, body: { error: 'temporarily_unavailable' } },
      'TOKEN_ENDPOINT_UNAVAILABLE',
    ],
    ['200 without a token', { status: 200, body: {} }, 'TOKEN_ENDPOINT_UNAVAILABLE'],
    [
      'a token with a control character',
      { status: 200, body: { access_token: 'a\u0001auth=Bearer b' } },
      'TOKEN_ENDPOINT_UNAVAILABLE',
    ],
    ['an answer of a megabyte', { status: 200, body: 'x'.repeat(1_000_000) }, 'TOKEN_ENDPOINT_UNAVAILABLE'],
    [
      'a redirect to somewhere else',
      { status: 307, body: '', headers: { location: 'http://127.0.0.1:1/' } },
      'TOKEN_ENDPOINT_UNAVAILABLE',
    ],
  ] as const
  for (const [name, answer, code] of passing)
    test(`${name}: the session is given up, not the mailbox`, async () => {
      const server = await serve({ answer: () => answer })
      const { login } = world(server, 'client-credentials', CLIENT_SECRET, 'app')
      const error = await refusedWith(login().secret())

      assert.deepEqual([error.code, error.scope], [code, 'session'])
    })

  test('a redirect is not followed: whoever may redirect would be sent the secret', async () => {
    const elsewhere = await serve()
    const server = await serve({
      answer: () => ({ status: 307, body: '', headers: { location: elsewhere.url } }),
    })
    const { login } = world(server, 'client-credentials', CLIENT_SECRET, 'app')
    assert.equal((await refusedWith(login().secret())).code, 'TOKEN_ENDPOINT_UNAVAILABLE')
    assert.equal(elsewhere.requests.length, 0)
  })

  test('a connection that is dropped, and an endpoint that is not there', async () => {
    const server = await serve()
    const { login } = world(server, 'client-credentials', CLIENT_SECRET, 'app')
    server.down(true)
    assert.equal((await refusedWith(login().secret())).code, 'TOKEN_ENDPOINT_UNAVAILABLE')
    const gone = await startTokenServer()
    await gone.close()
    const nobody = world(gone, 'client-credentials', CLIENT_SECRET, 'app')
    assert.equal((await refusedWith(nobody.login().secret())).code, 'TOKEN_ENDPOINT_UNAVAILABLE')
  })

  test('a kept token goes on while it is good, and a new one is had when the endpoint is back', async () => {
    const { server, login, wait } = world(await serve(), 'client-credentials', CLIENT_SECRET, 'app')
    const first = await tokenOf(login())
    server.down(true)
    wait(60 * MINUTE_MS - CREDENTIALS.tokenMarginMs + MINUTE_MS)
    assert.equal(await tokenOf(login()), first)
    wait(CREDENTIALS.tokenMarginMs)
    assert.equal((await refusedWith(login().secret())).scope, 'session')
    server.down(false)
    wait(CREDENTIALS.tokenFailureMs)
    assert.notEqual(await tokenOf(login()), first)
  })

  test('a thousand mailboxes of one application ask it once in a while', async () => {
    const server = await serve({ answer: () => ({ status: 503, body: '' }) })
    const { login, wait } = world(server, 'client-credentials', CLIENT_SECRET, 'app')
    for (let round = 0; round < 5; round++)
      await Promise.all(Array.from({ length: 200 }, () => refusedWith(login().secret())))
    assert.equal(server.requests.length, 1)
    wait(CREDENTIALS.tokenFailureMs)
    await refusedWith(login().secret())
    assert.equal(server.requests.length, 2)
  })
})

describe('a token endpoint that refuses', () => {
  const answers = [
    [
      'a wrong client secret',
      { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret' },
      'TOKEN_REFUSED',
    ],
    ['an expired client secret', { error: 'invalid_client', error_codes: [7000222] }, 'CREDENTIAL_EXPIRED'],
    ['an application without consent', { error: 'unauthorized_client' }, 'CONSENT_MISSING'],
    ['missing consent, by its number', { error: 'invalid_grant', error_codes: [65001] }, 'CONSENT_MISSING'],
    ['a tenant that is not there', { error: 'invalid_request', error_codes: [90002] }, 'TOKEN_REFUSED'],
    ['what nobody has heard of', { error: 'something_new' }, 'TOKEN_REFUSED'],
  ] as const
  for (const [name, body, code] of answers)
    test(`${name}: ${code}`, async () => {
      const server = await serve({ answer: () => ({ status: 400, body }) })
      const { login } = world(server, 'client-credentials', CLIENT_SECRET, 'app')
      const error = await refusedWith(login().secret())
      assert.deepEqual([error.code, error.scope], [code, 'mailbox'])
    })

  test('a refresh token that was revoked: somebody has to sign in', async () => {
    const { login } = world(await serve({ refreshTokens: {} }), 'refresh-token', REFRESH_TOKEN, 'public')
    assert.equal((await refusedWith(login().secret())).code, 'GRANT_EXPIRED')
  })

  test('an account that a service account may not act for, and one that is not there', async () => {
    const { login } = world(await serve(), 'service-account', KEY_FILE)
    const error = await refusedWith(login({ user: 'eve@example.com' }).secret())
    assert.equal(error.code, 'CONSENT_MISSING')
    const unknown = await serve({
      answer: () => ({
        status: 400,
        body: { error: 'invalid_grant', error_description: 'Invalid email or User ID' },
      }),
    })
    const other = world(unknown, 'service-account', KEY_FILE)
    assert.equal((await refusedWith(other.login().secret())).code, 'MAILBOX_MISSING')
  })

  test('a key that is not the registered one', async () => {
    const stranger = authority.issue({ names: ['x'], key: 'rsa' })
    const secret = `${stranger.keyPem}${stranger.certPem}`
    const { login } = world(await serve(), 'client-credentials', secret, 'rsa-app')
    assert.equal((await refusedWith(login().secret())).code, 'TOKEN_REFUSED')
  })

  test('a secret that was rotated meanwhile is read and used at once', async () => {
    const { login, secrets, wait } = world(await serve(), 'client-credentials', 'old secret', 'app')
    await refusedWith(login().secret())
    secrets.secrets.set('ssm:/secret', CLIENT_SECRET)
    wait(CREDENTIALS.tokenFailureMs)
    assert.ok(await tokenOf(login()))

    // Read before it was rotated, and kept.
    const {
      login: kept,
      secrets: store,
      server,
    } = world(await serve(), 'client-credentials', 'old secret', 'app')
    await kept().expiries()
    store.secrets.set('ssm:/secret', CLIENT_SECRET)
    assert.ok(await tokenOf(kept()))
    assert.equal(server.requests.length, 2)
  })
})

describe('clocks that differ', () => {
  for (const aheadMs of [-3 * 3_600_000, -10 * MINUTE_MS, 10 * MINUTE_MS, 3 * 3_600_000])
    for (const [name, grant, secret, clientId] of [
      ['a service account', 'service-account', KEY_FILE, undefined],
      ['a certificate', 'client-credentials', `${rsa.keyPem}${rsa.certPem}`, 'rsa-app'],
    ] as const)
      test(`${name}, the endpoint's ${aheadMs / MINUTE_MS} minutes ahead: corrected by its Date, once`, async () => {
        const { server, login, wait } = world(await serve({ aheadMs }), grant, secret, clientId)
        assert.ok(await tokenOf(login()))
        assert.equal(server.requests.length, 2)
        wait(2 * 60 * MINUTE_MS)
        // Our own clock moved on by two hours, which the endpoint's did not: corrected again.
        assert.ok(await tokenOf(login()))
      })

  test('within a minute nothing is asked twice', async () => {
    const { server, login } = world(await serve({ aheadMs: -50_000 }), 'service-account', KEY_FILE)
    assert.ok(await tokenOf(login()))
    assert.equal(server.requests.length, 1)
  })

  test('a refused client secret is not sent again for a clock', async () => {
    const { server, login } = world(
      await serve({ aheadMs: 3_600_000 }),
      'client-credentials',
      'wrong secret',
      'app',
    )
    await refusedWith(login().secret())
    assert.equal(server.requests.length, 1)
  })
})

describe('a refresh token that the provider replaces', () => {
  test('is in the store before the access token is used, and the next one is got with it', async () => {
    const { server, login, secrets, wait } = world(
      await serve({ rotates: true }),
      'refresh-token',
      JSON.stringify({ refreshToken: REFRESH_TOKEN, note: 'kept', expires: '2026-12-24' }),
      'public',
    )
    await login().secret()
    const stored = JSON.parse(secrets.secrets.get('ssm:/secret') ?? '')
    assert.match(stored.refreshToken, /^refresh-/)
    assert.equal(stored.note, 'kept')
    assert.equal(stored.expires, undefined, 'that was said of the old one')
    wait(60 * MINUTE_MS)
    await login().secret()
    assert.equal(server.requests[1]?.get('refresh_token'), stored.refreshToken)
    assert.equal(secrets.writes, 2)
  })

  test('is not written when the provider sends the same one', async () => {
    const server = await serve({
      answer: () => ({
        status: 200,
        body: { access_token: 'abc', expires_in: 3600, refresh_token: REFRESH_TOKEN },
      }),
    })
    const { login, secrets } = world(server, 'refresh-token', REFRESH_TOKEN, 'public')
    await login().secret()
    assert.equal(secrets.writes, 0)
  })

  test('that somebody else replaced at the same moment: theirs is used', async () => {
    const { server, login, secrets } = world(
      await serve({ rotates: true, refreshTokens: { [REFRESH_TOKEN]: 'jane', theirs: 'jane' } }),
      'refresh-token',
      REFRESH_TOKEN,
      'public',
    )
    secrets.onReplace = async (reference) => {
      secrets.onReplace = undefined
      secrets.secrets.set(reference, 'theirs')
      return false
    }
    assert.equal(server.userOf(await tokenOf(login())), 'jane')
    assert.deepEqual(
      server.requests.map((request) => request.get('refresh_token')),
      [REFRESH_TOKEN, 'theirs'],
    )
  })

  test('that cannot be stored: no token is used, the endpoint is not asked again, and it is stored when it can be', async () => {
    const { server, login, secrets, wait } = world(
      await serve({ rotates: true }),
      'refresh-token',
      REFRESH_TOKEN,
      'public',
    )
    secrets.onReplace = async () => {
      throw new IngestError('CREDENTIAL_UNSAVED', 'credential ssm:/secret: AWS answered AccessDenied')
    }
    for (let time = 0; time < 3; time++) {
      assert.equal((await refusedWith(login().secret())).code, 'CREDENTIAL_UNSAVED')
      wait(CREDENTIALS.tokenFailureMs)
    }
    assert.equal(server.requests.length, 1)

    secrets.onReplace = undefined
    assert.ok(await tokenOf(login()))
    assert.match(secrets.secrets.get('ssm:/secret') ?? '', /^refresh-/)
  })
})

describe('a log-in that the mail server refuses', () => {
  test('with a kept token: a new one is tried', async () => {
    const { login } = world(await serve(), 'client-credentials', CLIENT_SECRET, 'app')
    const mailbox = login()
    await mailbox.secret()
    const kept = await mailbox.secret()
    assert.equal(await mailbox.refused(kept), true)
    assert.notEqual(
      await tokenOf(mailbox),
      (kept as Extract<LoginSecret, { kind: 'access-token' }>).accessToken,
    )
  })

  test('with a token that was made for it: nothing more is tried', async () => {
    const { server, login } = world(await serve(), 'client-credentials', CLIENT_SECRET, 'app')
    const mailbox = login()
    assert.equal(await mailbox.refused(await mailbox.secret()), false)
    assert.equal(server.requests.length, 1)
  })

  test('with a password: it is read again, and tried when it is another one', async () => {
    const secrets = new MemorySecrets({ 'ssm:/p': 'old' })
    const login = openLogins({ store: secrets })({ user: 'u', credential: 'ssm:/p', auth: 'password' })
    const old = await login.secret()
    assert.equal(await login.refused(old), false)
    secrets.secrets.set('ssm:/p', 'new')
    assert.equal(await login.refused(old), true)
    assert.deepEqual(await login.secret(), { kind: 'password', password: 'new' })
  })
})

describe('a password', () => {
  const loginWith = (text: string): Login =>
    openLogins({ store: new MemorySecrets({ 'ssm:/p': text }) })({
      user: 'u',
      credential: 'ssm:/p',
      auth: 'password',
    })

  const texts = [
    ['alone', 'plain~{text}', 'plain~{text}', []],
    ['alone, though it begins like JSON', '{"a": 1} is it', '{"a": 1} is it', []],
    ['alone, though it is JSON of its own', '{"a":1}', '{"a":1}', []],
    ['in JSON, as Secrets Manager makes it', '{"username":"u","password":"of the box"}', 'of the box', []],
    [
      'in JSON with the day on which it expires',
      '{"password":"of the box","expires":"2027-01-31"}',
      'of the box',
      ['2027-01-31T00:00:00.000Z'],
    ],
  ] as const
  for (const [how, text, password, expiries] of texts)
    test(`stands ${how}`, async () => {
      const login = loginWith(text)
      assert.deepEqual(await login.secret(), { kind: 'password', password })
      assert.deepEqual(
        (await login.expiries()).map(({ what, at }) => [what, at.toISOString()]),
        expiries.map((at) => ['password', at]),
      )
    })

  for (const text of ['{"password":""}', '{"password":4711}', '{"password":"marked","expires":"soon"}'])
    test(`is not made of ${text.replace('marked', '…')}, and nothing of it is quoted`, async () => {
      const error = await refusedWith(loginWith(text).secret())
      assert.equal(error.code, 'CREDENTIAL_UNUSABLE')
      assert.doesNotMatch(error.message, /marked|4711|soon/)
      assert.deepEqual(await loginWith(text).expiries(), [])
    })
})

describe('a secret is read', () => {
  test('once in five minutes, by whoever asks', async () => {
    const secrets = new MemorySecrets({ 'ssm:/p': 'old' })
    let nowMs = 0
    const logins = openLogins({ store: secrets, now: () => new Date(nowMs) })
    const of = (user: string) => logins({ user, credential: 'ssm:/p', auth: 'password' })
    await Promise.all(['a', 'b', 'c'].map((user) => of(user).secret()))
    nowMs = CREDENTIALS.secretMs - 1
    await of('a').secret()
    assert.equal(secrets.reads, 1)
    secrets.secrets.set('ssm:/p', 'new')
    nowMs = CREDENTIALS.secretMs
    assert.deepEqual(await of('a').secret(), { kind: 'password', password: 'new' })
  })

  test('again after it was not there', async () => {
    const secrets = new MemorySecrets({})
    const login = openLogins({ store: secrets })({ user: 'u', credential: 'ssm:/p', auth: 'password' })
    assert.equal((await refusedWith(login.secret())).code, 'CREDENTIAL_MISSING')
    secrets.secrets.set('ssm:/p', 'there')
    assert.deepEqual(await login.secret(), { kind: 'password', password: 'there' })
  })

  const unusable = [
    ['JSON that is cut off', 'client-credentials', '{"clientSecret": "abc', /expected JSON/],
    [
      'JSON without what is needed',
      'client-credentials',
      '{"password":"x"}',
      /expected clientSecret, or privateKey/,
    ],
    ['a key without its certificate', 'client-credentials', rsa.keyPem, /expected the certificate/],
    [
      'a certificate of another key',
      'client-credentials',
      `${rsa.keyPem}${ec.certPem}`,
      /belongs to the private key/,
    ],
    ['no key file', 'service-account', CLIENT_SECRET, /expected the JSON key file/],
    [
      'a key file with another key',
      'service-account',
      KEY_FILE.replace(/-----BEGIN PRIVATE KEY-----.../, 'x'),
      /private key in the PEM/,
    ],
    ['no refresh token', 'refresh-token', '{"clientSecret":"x"}', /expected refreshToken/],
  ] as const
  for (const [name, grant, secret, expected] of unusable)
    test(`${name} is refused before anybody is asked, and not quoted`, async () => {
      const { server, login } = world(await serve(), grant, secret, 'app')
      const error = await refusedWith(login().secret())
      assert.equal(error.code, 'CREDENTIAL_UNUSABLE')
      assert.match(error.message, expected)
      assert.doesNotMatch(error.message, /abc|MII|marked/)
      assert.equal(server.requests.length, 0)
    })
})

test('an endpoint that sends back what it was sent does not get it into an error', async () => {
  for (const [grant, secret, clientId] of [
    ['client-credentials', CLIENT_SECRET, 'app'],
    ['client-credentials', `${rsa.keyPem}${rsa.certPem}`, 'rsa-app'],
    ['service-account', KEY_FILE, undefined],
    ['refresh-token', REFRESH_TOKEN, 'public'],
  ] as const) {
    let sent: URLSearchParams | undefined
    const server = await serve({
      answer: (request) => {
        sent = request
        return {
          status: 400,
          body: {
            error: 'invalid_request',
            error_description: `${[...request.values()].join(' ')} ${request}`,
          },
        }
      },
    })
    const { login } = world(server, grant, secret, clientId)
    const error = await refusedWith(login().secret())

    assert.match(error.message, /\*\*\*/)
    for (const name of ['client_secret', 'client_assertion', 'assertion', 'refresh_token']) {
      const value = sent?.get(name)
      if (value) assert.ok(!JSON.stringify([error.message, error.stack]).includes(value), name)
    }
  }
})
