import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mailboxOpener } from '../../functions/compose.ts'
import { beginVisit } from '../../functions/lambda/visit.ts'
import { openLogins } from '../../shared/credentials/logins.ts'
import type { DrainOptions } from '../../shared/drain/ports.ts'
import { openSuspensions, readSuspension } from '../../shared/suspension.ts'
import { DrainWorld, mailboxConfig, message } from '../support/drain-world.ts'
import { startPop3Server } from '../support/pop3-server.ts'
import { fetchRow, startScriptedImap, uidsAsked } from '../support/scripted-imap.ts'
import { MemorySecrets } from '../support/secret-store.ts'
import { startTokenServer, type TokenServer } from '../support/token-server.ts'

// Servers end a session when the access token runs out with which it was entered, in the middle of whatever it does (Gmail, Exchange Online).
// The drain goes on with another token.

const MESSAGES = ['one', 'two', 'three', 'four', 'five'].map((subject) => message(subject))

/** What a server does in place of an answer: what it says, and whether it hangs up then. */
interface Cut {
  readonly says: string
  readonly hangsUp: boolean
}

interface MailServer {
  readonly port: number
  close(): Promise<void>
}

type StartServer = (tokens: TokenServer, cut: () => Cut | undefined) => Promise<MailServer>

/** Asks `cut` before each message that it would send. */
const servers: Readonly<Record<'imap' | 'pop3', StartServer>> = {
  imap: (tokens, cut) =>
    startScriptedImap({
      capabilities: 'IMAP4rev1 SASL-IR AUTH=XOAUTH2',
      exists: MESSAGES.length,
      answers: [
        [
          /^AUTHENTICATE XOAUTH2/,
          ({ line, say }) => {
            const said = Buffer.from(line.split(' ')[2] ?? '', 'base64').toString()
            const [, token = ''] = /auth=Bearer ([\w-]+)/.exec(said) ?? []
            const isGood = tokens.userOf(token) === 'testuser'
            say(isGood ? '{tag} OK signed in\r\n' : '{tag} NO AUTHENTICATE failed.\r\n')
          },
        ],
        [
          /^UID FETCH/,
          ({ line, say, close }) => {
            for (const uid of uidsAsked(line)) {
              const source = MESSAGES[uid - 1] ?? ''
              const ending = line.includes('BODY') ? cut() : undefined
              if (ending) {
                say(ending.says)
                if (ending.hangsUp) setImmediate(close)
                return
              }
              say(fetchRow(uid, { size: source.length, ...(line.includes('BODY') ? { source } : {}) }))
            }
            say('{tag} OK done\r\n')
          },
        ],
      ],
    }),
  pop3: (tokens, cut) =>
    startPop3Server({
      messages: MESSAGES.map((text, index) => ({ uidl: `u${index}`, octets: Buffer.from(text) })),
      capabilities: ['UIDL', 'SASL XOAUTH2', 'RESP-CODES', 'AUTH-RESP-CODE'],
      takesToken: (token) => tokens.userOf(token) === 'testuser',
      answer(line, { close, write }) {
        const ending = line.startsWith('RETR') ? cut() : undefined
        if (!ending) return undefined
        write(ending.says)
        if (ending.hangsUp) close()
        return ''
      },
    }),
}

interface Scene {
  readonly world: DrainWorld
  readonly tokens: TokenServer
  drain(options?: Partial<DrainOptions>): ReturnType<DrainWorld['drain']>
  suspended(): Promise<string | undefined>
}

/**
 * Runs on a server that makes an end of the session at the messages that `at` names, counted over all sessions. `expires`: the token has run
 * out; `withdrawn`: it was good for an hour, and is no more.
 */
async function inScene(
  protocol: 'imap' | 'pop3',
  {
    cut,
    when,
    at,
  }: { cut: Cut; when: 'expires' | 'withdrawn' | 'no reason'; at: readonly number[] | 'every' },
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const tokens = await startTokenServer({
    clients: { app: { secret: 'app-secret', user: 'testuser' } },
    lifetimeSeconds: when === 'expires' ? 30 : 3600,
  })
  let asked = 0
  const server = await servers[protocol](tokens, () => {
    asked++
    if (at !== 'every' && !at.includes(asked)) return undefined
    if (when !== 'no reason') tokens.revokeAll()
    return cut
  })
  const mailbox = mailboxConfig({
    protocol,
    port: server.port,
    tls: 'none',
    user: 'testuser',
    credential: 'ssm:/secret',
    auth: 'oauth2',
    oauth2: { grant: 'client-credentials', tokenUrl: tokens.url, clientId: 'app' },
    ...(protocol === 'pop3' ? { afterArchive: 'delete' } : {}),
  })
  const world = new DrainWorld({}, { protocol })
  const login = openLogins({ store: new MemorySecrets({ 'ssm:/secret': 'app-secret' }) })
  const open = mailboxOpener(mailbox, { credentials: { login }, authorities: {} })
  const { state, queues } = world
  const suspensions = openSuspensions({
    state,
    queues,
    credentials: { version: async () => undefined },
  })
  try {
    await act({
      world,
      tokens,
      async drain(options = {}) {
        const visit = beginVisit(mailbox, open, suspensions, (error) => assert.fail(error))
        const report = await world.drain(options, { openMailbox: visit.openMailbox }, mailbox)
        await visit.ended(report.error)
        return report
      },
      suspended: async () => (await readSuspension(mailbox.id, state))?.code,
    })
  } finally {
    await server.close()
    await tokens.close()
  }
}

const HANGS_UP: Cut = { says: '', hangsUp: true }
const REFUSES = {
  imap: { says: '{tag} NO [AUTHENTICATIONFAILED] token is no longer valid\r\n', hangsUp: false },
  pop3: { says: '-ERR [AUTH] token is no longer valid\r\n', hangsUp: false },
} as const
const EXPIRED = {
  imap: { says: '{tag} NO [EXPIRED] token has expired\r\n', hangsUp: false },
  pop3: REFUSES.pop3,
} as const

for (const protocol of ['imap', 'pop3'] as const)
  describe(`an access token that ends in the middle of a session (${protocol})`, () => {
    const ways = [
      ['hangs up', 'expires', HANGS_UP],
      ['refuses by its code', 'expires', EXPIRED[protocol]],
      ['refuses by its code, before the time', 'withdrawn', REFUSES[protocol]],
      ...(protocol === 'imap'
        ? ([
            [
              'says BYE, as Exchange Online does',
              'expires',
              { says: '* BYE Session invalidated - AccessTokenExpired\r\n', hangsUp: true },
            ],
            [
              'says BYE, as Gmail does',
              'expires',
              { says: '* BYE Session expired, please login again.\r\n', hangsUp: true },
            ],
          ] as const)
        : []),
    ] as const

    for (const [how, when, cut] of ways)
      test(`the server ${how}: the drain goes on with another one, nothing is lost or repeated, nothing is suspended`, async () => {
        await inScene(protocol, { cut, when, at: [3, 5] }, async ({ world, tokens, drain, suspended }) => {
          const report = await drain()

          assert.equal(report.error, undefined)
          assert.deepEqual([report.counts.announced, report.listed, report.remaining], [5, 5, 0])
          assert.equal(tokens.requests.length, 3)
          assert.deepEqual(report.failures, [])
          assert.deepEqual([report.counts.failed, report.counts.duplicates], [0, 0])
          const ids = (await world.takeEvents()).map(({ id }) => id)
          assert.deepEqual(ids.sort(), MESSAGES.map((text) => world.eventId(text)).sort())
          if (protocol === 'pop3') assert.equal(report.counts.acknowledged, 5)
          assert.equal(await suspended(), undefined)
          await world.assertLedgerVerifies()
        })
      })

    test('a connection that is lost before the time ends the drain, as ever', async () => {
      await inScene(
        protocol,
        { cut: HANGS_UP, when: 'no reason', at: [3] },
        async ({ drain, tokens, suspended }) => {
          const report = await drain()

          assert.equal(report.error?.code, 'CONNECTION_LOST')
          assert.equal(report.counts.announced, 2)
          assert.deepEqual([tokens.requests.length, await suspended()], [1, undefined])
          const next = await drain()
          assert.equal(next.error, undefined)
          assert.equal(next.counts.announced, 3)
        },
      )
    })

    test('a server that takes every log-in and refuses the first message has refused the log-in', async () => {
      const cut = REFUSES[protocol]
      await inScene(protocol, { cut, when: 'no reason', at: 'every' }, async (scene) => {
        const { error } = await scene.drain()

        assert.equal(error?.scope, 'mailbox')
        assert.equal(await scene.suspended(), error?.code)
        assert.equal(scene.tokens.requests.length, 1)
      })
    })

    test('a dry run, which records nothing, does not begin anew', async () => {
      await inScene(protocol, { cut: HANGS_UP, when: 'expires', at: [3] }, async ({ drain }) => {
        const report = await drain({ dryRun: true })
        assert.equal(report.error?.code, 'SESSION_EXPIRED')
      })
    })
  })
