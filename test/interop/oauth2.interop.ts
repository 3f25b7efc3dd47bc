import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { mailboxOpener } from '../../functions/compose.ts'
import { openLogins } from '../../shared/credentials/logins.ts'
import { CREDENTIALS } from '../../shared/limits.ts'
import { makeAuthority } from '../support/certificates.ts'
import { available } from '../support/dovecot.ts'
import { startOAuth2Dovecot } from '../support/dovecot-oauth2.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { collect } from '../support/imap-session.ts'
import { LocalWorld } from '../support/local-world.ts'
import type { MailServer } from '../support/mail-server.ts'
import { MemorySecrets } from '../support/secret-store.ts'
import { startTokenServer, type TokenServer } from '../support/token-server.ts'
import { letter, newUser } from './mail-servers.ts'

// Access tokens from a real token endpoint, taken by a real Dovecot, which asks the same server what they are worth.

const account = generateKeyPairSync('rsa', { modulusLength: 2048 })
const certificate = makeAuthority().issue({ names: ['mailsluice'], key: 'rsa' })
const KEY_FILE = JSON.stringify({
  type: 'service_account',
  client_email: 'sluice@project.example',
  private_key: account.privateKey.export({ type: 'pkcs8', format: 'pem' }),
})

interface Scene {
  readonly tokens: TokenServer
  readonly world: LocalWorld
  readonly secrets: MemorySecrets
  readonly user: string
  drain(): Promise<Awaited<ReturnType<LocalWorld['drain']>>>
  settings: Record<string, unknown>
  /** Time passes for us alone. */
  wait(milliseconds: number): void
}

type Grant = 'client-credentials' | 'service-account' | 'refresh-token'

for (const mechanism of ['xoauth2', 'oauthbearer'] as const)
  for (const protocol of ['imap', 'pop3'] as const) {
    const title = `${protocol.toUpperCase()} by ${mechanism.toUpperCase()} from Dovecot`
    const missing = available()
    if (missing !== undefined) test(title, { skip: missing }, () => {})
    else
      describe(title, () => {
        let server: MailServer
        let tokens: TokenServer
        const users = Array.from({ length: 40 }, newUser)
        before(async () => {
          tokens = await startTokenServer({
            clients: {
              ...Object.fromEntries(
                users.map((user) => [`secret-${user}`, { secret: 'client secret', user }]),
              ),
              ...Object.fromEntries(
                users.map((user) => [`key-${user}`, { certificatePem: certificate.certPem, user }]),
              ),
            },
            accounts: { 'sluice@project.example': { publicKey: account.publicKey, users: [...users] } },
            refreshTokens: Object.fromEntries(users.map((user) => [`refresh ${user}`, user])),
            rotates: true,
            aheadMs: 2 * 3_600_000,
          })
          server = await startOAuth2Dovecot(mechanism, tokens.introspectionUrl)
        })
        after(async () => {
          await server.stop()
          await tokens.close()
        })

        async function inScene(
          grant: Grant,
          act: (scene: Scene) => Promise<void>,
          proof: 'secret' | 'key' = 'secret',
        ): Promise<void> {
          const user = users.pop()
          assert.ok(user)
          await server.put(user, 'INBOX', [letter(1), letter(2), letter(3)])
          const world = await LocalWorld.open(server, user)
          const secret = {
            'client-credentials':
              proof === 'secret' ? 'client secret' : `${certificate.keyPem}${certificate.certPem}`,
            'service-account': KEY_FILE,
            'refresh-token': `refresh ${user}`,
          }[grant]
          const secrets = new MemorySecrets({ 'ssm:/secret': secret })
          let aheadMs = 0
          const login = openLogins({ store: secrets, now: () => new Date(Date.now() + aheadMs) })
          const clientId = grant === 'client-credentials' ? `${proof}-${user}` : `secret-${user}`
          const settings = {
            protocol,
            credential: 'ssm:/secret',
            auth: 'oauth2',
            oauth2: { grant, tokenUrl: tokens.url, clientId },
          }
          if (grant === 'refresh-token')
            secrets.secrets.set(
              'ssm:/secret',
              JSON.stringify({ refreshToken: secret, clientSecret: 'client secret' }),
            )
          try {
            await act({
              tokens,
              world,
              secrets,
              user,
              settings,
              drain: () => world.drain(settings, { credentials: { login } }),
              wait: (milliseconds) => {
                aheadMs += milliseconds
              },
            })
          } finally {
            await world.close()
          }
        }

        for (const [name, grant, proof] of [
          ['client credentials with a secret', 'client-credentials', 'secret'],
          ['client credentials with a certificate, two hours off', 'client-credentials', 'key'],
          ['a service account, two hours off', 'service-account', 'secret'],
          ['a refresh token', 'refresh-token', 'secret'],
        ] as const)
          test(`drained with ${name}`, async () => {
            await inScene(
              grant,
              async ({ drain, world }) => {
                const report = await drain()
                assert.equal(report.error, undefined)
                assert.equal(report.counts.announced, 3)
                assert.equal((await world.takeEvents()).length, 3)
                await world.verify()
              },
              proof,
            )
          })

        test('a token that runs out in the middle of a session: the session goes on, and the next one has another', async () => {
          await inScene('service-account', async ({ world, settings, secrets, user, tokens: endpoint }) => {
            const login = openLogins({ store: secrets })
            const authorities = { 'ca.pem': server.ca }
            const open = mailboxOpener(world.mailbox(settings), { credentials: { login }, authorities })
            const session = await open()
            const listing = await session.list('INBOX')
            const before = endpoint.requests.length
            endpoint.revokeAll()
            assert.equal((await collect(session, listing)).filter(({ octets }) => octets).length, 3)
            await session.close()

            await server.put(user, 'INBOX', [letter(4)])
            const next = await open()
            assert.equal((await next.list('INBOX')).ids.length, 4)
            await next.close()
            assert.equal(endpoint.requests.length, before + 1)
          })
        })

        test('a server that hangs up with the token, in the middle of a session: the same drain goes on with another one', async () => {
          await inScene(
            'client-credentials',
            async ({ world, settings, secrets, user, tokens: endpoint }) => {
              // More than is asked for at once.
              const large = letter(0, `\n${`${'x'.repeat(76)}\n`.repeat(10_000)}`)
              await server.put(
                user,
                'INBOX',
                Array.from({ length: 30 }, (_, index) => `X-Number: ${index}\n${large}`),
              )
              const proxy = await startFaultProxy({ port: server.ports[`${protocol}s`] })
              endpoint.lasting(30)
              const before = endpoint.requests.length
              let dropped = false
              try {
                const login = openLogins({ store: secrets })
                const report = await world.drain(
                  { ...settings, port: proxy.port },
                  {
                    credentials: { login },
                    progress({ phase, done }) {
                      if (dropped || phase !== 'fetching' || done < 5) return
                      dropped = true
                      endpoint.revokeAll()
                      proxy.drop()
                    },
                  },
                )

                assert.equal(report.error, undefined)
                assert.equal(report.counts.announced, 33)
                assert.deepEqual(
                  [report.counts.failed, report.counts.duplicates, report.failures],
                  [0, 0, []],
                )
                assert.ok(dropped)
                assert.equal(endpoint.requests.length, before + 2)
                await world.verify()
              } finally {
                endpoint.lasting(3600)
                await proxy.close()
              }
            },
          )
        })

        test('a token that was revoked: the drain gets another one by itself', async () => {
          await inScene('client-credentials', async ({ drain, user, tokens: endpoint }) => {
            assert.equal((await drain()).counts.announced, 3)
            endpoint.revokeAll()
            await server.put(user, 'INBOX', [letter(4)])
            const report = await drain()
            assert.equal(report.error, undefined)
            assert.equal(report.counts.announced, 1)
          })
        })

        test('a refresh token is good once: each drain stores the next one before it signs in', async () => {
          await inScene('refresh-token', async ({ drain, user, secrets, wait }) => {
            const seen = new Set<string>()
            for (let round = 1; round <= 3; round++) {
              assert.equal((await drain()).error, undefined)
              seen.add(JSON.parse(secrets.secrets.get('ssm:/secret') ?? '').refreshToken)
              await server.put(user, 'INBOX', [letter(10 + round)])
              wait(2 * 3_600_000)
            }
            assert.equal(seen.size, 3)
            assert.equal(secrets.writes, 3)
          })
        })

        test('a consent that was withdrawn suspends; an endpoint that is down does not', async () => {
          await inScene('refresh-token', async ({ drain, secrets, user, tokens: endpoint, wait }) => {
            endpoint.down(true)
            const down = await drain()
            endpoint.down(false)
            assert.deepEqual([down.error?.code, down.error?.scope], ['TOKEN_ENDPOINT_UNAVAILABLE', 'session'])
            wait(CREDENTIALS.tokenFailureMs)
            secrets.secrets.set(
              'ssm:/secret',
              JSON.stringify({ refreshToken: `gone ${user}`, clientSecret: 'client secret' }),
            )
            const withdrawn = await drain()
            assert.deepEqual([withdrawn.error?.code, withdrawn.error?.scope], ['GRANT_EXPIRED', 'mailbox'])
          })
        })

        test('a mail server that cannot ask what a token is worth is ill, and the token is not to blame', async () => {
          await inScene('client-credentials', async ({ drain, user, tokens: endpoint }) => {
            assert.equal((await drain()).error, undefined)
            await server.put(user, 'INBOX', [letter(4)])
            // The token is kept, and its worth unknown.
            endpoint.down(true)
            const report = await drain()
            endpoint.down(false)
            assert.deepEqual([report.error?.code, report.error?.scope], ['SERVER_UNAVAILABLE', 'session'])
            assert.equal((await drain()).counts.announced, 1)
          })
        })

        test('a token of somebody else opens no mailbox', async () => {
          await inScene('client-credentials', async ({ world, secrets, settings, user }) => {
            const other = users.pop()
            const login = openLogins({ store: secrets })
            const oauth2 = { ...(settings.oauth2 as object), clientId: `secret-${other}` }
            const { error } = await world.drain({ ...settings, oauth2 }, { credentials: { login } })
            assert.deepEqual([error?.code, error?.scope], ['ACCESS_TOKEN_REJECTED', 'mailbox'])
            assert.match(error?.message ?? '', new RegExp(user))
          })
        })
      })
  }
