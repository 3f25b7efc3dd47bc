import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ErrorCode } from '../../shared/errors.ts'
import { IMAP, POP3 } from '../../shared/limits.ts'
import {
  certifiedServer,
  goodServer,
  greetingServer,
  imapOf,
  type Protocol,
  pop3Of,
  retrieved,
  type Served,
  strippedServer,
} from '../support/bad-servers.ts'
import { makeAuthority } from '../support/certificates.ts'
import { assertTold, DrainFolder } from '../support/drain-folder.ts'
import { fetchRow } from '../support/scripted-imap.ts'

// Whatever is wrong with server or certificate: the exit status is 1, stderr names mailbox, cause and what to do, and a later
// drain from a good server ends with every message archived and announced once.

const PROTOCOLS = ['imap', 'pop3'] as const
const DAY_MS = 86_400_000

const folder = new DrainFolder()
let next = 0

after(() => folder.close())

interface Trouble {
  readonly name: string
  readonly start: () => Promise<Served>
  readonly code: ErrorCode
  readonly said: RegExp
}

function drains(protocol: Protocol, { name, start, code, said }: Trouble): void {
  test(name, async () => {
    const place = `${protocol}-${next++}`
    const server = await folder.serve(start())
    const drained = await folder.drainFrom(server, place)
    assertTold(drained, code, said)
    await folder.assertRecovers(protocol, place)
  })
}

for (const protocol of PROTOCOLS)
  describe(`${protocol}: a server`, () => {
    const nowhere = (settings: object) => async (): Promise<Served> => {
      const server = await folder.serve(goodServer(protocol))
      return { ...server, settings: { ...server.settings, ...settings } }
    }
    const troubles: readonly Trouble[] = [
      {
        name: 'that does not exist',
        start: nowhere({ host: 'mail.nowhere.invalid', tls: 'implicit' }),
        code: 'CONNECTION_FAILED',
        said: /mail\.nowhere\.invalid/,
      },
      {
        name: 'where nobody listens',
        start: nowhere({ port: 1 }),
        code: 'CONNECTION_FAILED',
        said: /ECONNREFUSED/,
      },
      {
        name: 'with an expired certificate',
        start: () =>
          certifiedServer(protocol, {
            validFrom: new Date(Date.now() - 2 * DAY_MS),
            validTo: new Date(Date.now() - DAY_MS),
          }),
        code: 'CERTIFICATE_REJECTED',
        said: /expired/,
      },
      {
        name: 'with a certificate for another name',
        start: () => certifiedServer(protocol, { names: ['mail.example.org'] }),
        code: 'CERTIFICATE_REJECTED',
        said: /localhost/,
      },
      {
        name: 'with a certificate of an unknown authority',
        start: () => certifiedServer(protocol, {}, makeAuthority()),
        code: 'CERTIFICATE_REJECTED',
        said: /certificate/,
      },
      {
        name: 'that speaks another protocol',
        start: () => greetingServer(protocol, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
        code: 'PROTOCOL_VIOLATION',
        said: /orders \(127\.0\.0\.1:\d+\): PROTOCOL_VIOLATION: 127\.0\.0\.1 \(testuser\)/,
      },
    ]
    for (const trouble of troubles) drains(protocol, trouble)

    test('that refuses the password', async () => {
      const server = await folder.serve(goodServer(protocol))
      assertTold(
        await folder.drainFrom(server, `${protocol}-password`, { PASSWORD: 'wrong' }),
        'AUTHENTICATION_FAILED',
        /sign-in/,
      )
      await folder.assertRecovers(protocol, `${protocol}-password`)
    })

    test('is not even asked when there is no password to sign in with', async () => {
      const server = await folder.serve(goodServer(protocol))
      const drained = await folder.drainFrom(server, `${protocol}-missing`, {})
      assertTold(
        drained,
        'CREDENTIAL_MISSING',
        /credential env:PASSWORD: the environment variable PASSWORD is not set/,
      )
      assert.deepEqual(server.commands, [])
      await folder.assertRecovers(protocol, `${protocol}-missing`)
    })

    test('whose offer of TLS was taken out on the way gets no password', async () => {
      const server = await folder.serve(strippedServer(protocol))
      assertTold(await folder.drainFrom(server, `${protocol}-stripped`), 'TLS_UNAVAILABLE', /STLS|TLS/)
      assert.ok(server.commands.length > 0)
      assert.ok(
        !server.commands.some((line) => /LOGIN|AUTH|USER|PASS|testuser/i.test(line)),
        server.commands.join('\n'),
      )
      await folder.assertRecovers(protocol, `${protocol}-stripped`)
    })
  })

describe('imap: a session', () => {
  drains('imap', {
    name: 'that ends in the middle of a message',
    start: () =>
      imapOf((uid, body, { say, close }) => {
        if (uid < 3) return fetchRow(uid, { source: body })
        say(`* 3 FETCH (UID 3 BODY[] {${body.length}}\r\n${body.slice(0, 20)}`)
        setTimeout(close, 50)
        return undefined
      }),
    code: 'CONNECTION_LOST',
    said: /127\.0\.0\.1/,
  })
  drains('imap', {
    name: 'in which a line never ends',
    start: () =>
      imapOf(() => undefined, {
        answers: [[/^UID SEARCH/, ({ say }) => say(`* OK ${'1 '.repeat(9_000_000)}`)]],
      }),
    code: 'PROTOCOL_VIOLATION',
    said: /more than|maximum|exceeds|large/i,
  })
  drains('imap', {
    name: 'in which a message has no body',
    start: () => imapOf((uid, body) => fetchRow(uid, { size: body.length, source: uid === 2 ? null : body })),
    code: 'MESSAGE_UNFETCHABLE',
    said: /orders: INBOX 2 \(attempt 1\): .*UID 2/,
  })
  drains('imap', {
    name: 'in which a message has another length each time',
    start: () =>
      imapOf((uid, body, { times }) => fetchRow(uid, { source: uid === 2 ? body.slice(times + 1) : body })),
    code: 'MESSAGE_UNFETCHABLE',
    said: /orders: INBOX 2 \(attempt 1\): .*UID 2/,
  })
})

describe('pop3: a session', () => {
  drains('pop3', {
    name: 'that ends in the middle of a message',
    start: () =>
      pop3Of((line, { write, close }) => {
        if (line !== 'RETR 3') return undefined
        write(retrieved(3).subarray(0, 40))
        setTimeout(close, 50)
        return ''
      }),
    code: 'CONNECTION_LOST',
    said: /in the middle/,
  })
  drains('pop3', {
    name: 'in which a line never ends',
    start: () => pop3Of((line) => (line.startsWith('RETR') ? `+OK ${'x'.repeat(20_000)}` : undefined)),
    code: 'PROTOCOL_VIOLATION',
    said: /127\.0\.0\.1/,
  })
  drains('pop3', {
    name: 'in which one message is refused',
    start: () => pop3Of((line) => (line === 'RETR 2' ? '-ERR no such luck\r\n' : undefined)),
    code: 'MESSAGE_UNFETCHABLE',
    said: /orders: INBOX \S+ \(attempt 1\): .*no such luck/,
  })
})

describe('a wrong size is no trouble: what comes is what is archived', () => {
  const cases: readonly (readonly [Protocol, () => Promise<Served>])[] = [
    [
      'imap',
      () =>
        imapOf((uid, body) => fetchRow(uid, { size: body.length + 9, source: body }), {
          answers: [
            [
              /^UID FETCH \S+ \((?!.*BODY)/,
              ({ say }) =>
                say(`${[1, 2, 3].map((uid) => fetchRow(uid, { size: 9 })).join('')}{tag} OK done\r\n`),
            ],
          ],
        }),
    ],
    ['pop3', () => pop3Of((line) => (line === 'LIST' ? '+OK\r\n1 7\r\n2 7\r\n3 70000\r\n.\r\n' : undefined))],
  ]
  for (const [protocol, start] of cases)
    test(protocol, async () => {
      const server = await folder.serve(start())
      const { status, stdout, stderr } = await folder.drainFrom(server, `${protocol}-size`)
      assert.deepEqual([status, stderr], [0, ''])
      assert.match(stdout, /^orders: 3 archived and announced/)
      await folder.assertRecovers(protocol, `${protocol}-size`)
    })
})

describe('a server that says nothing is left', () => {
  // The bounds are constants; they are lowered here so that no test waits a minute.
  const bounds = { imap: { ...IMAP }, pop3: { ...POP3 } }
  before(() => {
    Object.assign(IMAP, { greetingMs: 500, signInMs: 500, commandMs: 500 })
    Object.assign(POP3, { idleMs: 500 })
  })
  after(() => {
    Object.assign(IMAP, bounds.imap)
    Object.assign(POP3, bounds.pop3)
  })

  for (const protocol of PROTOCOLS) {
    const said = /127\.0\.0\.1 \(testuser\)/
    drains(protocol, {
      name: `${protocol}: from the beginning`,
      start: () => greetingServer(protocol, ''),
      code: 'TIMED_OUT',
      said,
    })
    drains(protocol, {
      name: `${protocol}: after its greeting`,
      start: () =>
        protocol === 'imap' ? imapOf(() => undefined, { answers: [[/./, () => {}]] }) : pop3Of(() => ''),
      code: 'TIMED_OUT',
      said,
    })
    drains(protocol, {
      name: `${protocol}: in the middle of a message`,
      start: () =>
        protocol === 'imap'
          ? imapOf((uid, body, { say }) => {
              if (uid < 2) return fetchRow(uid, { source: body })
              say(`* 2 FETCH (UID 2 BODY[] {${body.length}}\r\n${body.slice(0, 20)}`)
              return undefined
            })
          : pop3Of((line) => {
              if (line === 'RETR 2') return retrieved(2).subarray(0, 40)
              return line === 'RETR 3' ? '' : undefined
            }),
      code: 'TIMED_OUT',
      said,
    })
  }
})
