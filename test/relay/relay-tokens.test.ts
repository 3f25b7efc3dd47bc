import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import { openLogins } from '../../shared/credentials/logins.ts'
import type { Watch, WatchListener } from '../../shared/mailbox/watch.ts'
import { FastClock } from '../support/fast-clock.ts'
import { RelayWorld } from '../support/relay-world.ts'
import { MemorySecrets } from '../support/secret-store.ts'
import { SimulatedMail } from '../support/simulated-mail.ts'

// Sessions that stand on access tokens: what gives the tokens and keeps them is the real thing, but for an endpoint that grants each request.

const MINUTE = 60_000
const HOUR = 60 * MINUTE

interface Session {
  readonly accessToken: string
  readonly startedMs: number
  /** When the token ends, and the server with it. */
  readonly untilMs: number
}

class MailByToken extends SimulatedMail {
  readonly sessions: Session[] = []
  readonly #clock: FastClock
  readonly #login: ReturnType<typeof openLogins>

  constructor(clock: FastClock, lifetimeMs: number) {
    super(clock)
    this.#clock = clock
    let granted = 0
    this.#login = openLogins({
      store: new MemorySecrets({ 'ssm:/secret': 'client secret' }),
      now: () => clock.date(),
      fetch: async () =>
        Response.json({
          token_type: 'Bearer',
          access_token: `token-${++granted}`,
          expires_in: lifetimeMs / 1000,
        }),
    })
  }

  override async open(mailbox: MailboxConfig, listener: WatchListener, signal: AbortSignal): Promise<Watch> {
    const secret = await this.#login(mailbox).secret()
    assert.ok(secret.kind === 'access-token')
    const { accessToken, expiresAt } = secret
    this.sessionMs = expiresAt.getTime() - this.#clock.date().getTime()
    const startedMs = this.#clock.nowMs()
    this.sessions.push({ accessToken, startedMs, untilMs: startedMs + this.sessionMs })
    return super.open(mailbox, listener, signal)
  }
}

describe('a session that stands on an access token', () => {
  for (const lifetimeMs of [24 * HOUR, HOUR, 5 * MINUTE])
    for (const chance of [0, 0.5, 1])
      test(`of ${lifetimeMs / MINUTE} minutes is left before the token ends, for one with a new token (dice: ${chance})`, async () => {
        const clock = new FastClock()
        const mail = new MailByToken(clock, lifetimeMs)
        const world = new RelayWorld({ clock, mail })
        world.chance = chance
        await world.watch({
          credential: 'ssm:/secret',
          auth: 'oauth2',
          oauth2: { grant: 'client-credentials', tokenUrl: 'https://login.example/token', clientId: 'app' },
        })

        await clock.pass(48 * HOUR)

        const { sessions } = mail
        assert.equal(new Set(sessions.map(({ accessToken }) => accessToken)).size, sessions.length)
        for (const [number, { startedMs }] of sessions.slice(1).entries())
          assert.ok(startedMs < (sessions[number]?.untilMs ?? 0), `session ${number} outlived its token`)
        assert.ok(sessions.length >= (48 * HOUR) / lifetimeMs, `${sessions.length} sessions`)
        assert.deepEqual(
          world.events.filter(({ kind }) => kind === 'disconnected' || kind === 'suspended'),
          [],
        )
        await world.close()
      })
})
