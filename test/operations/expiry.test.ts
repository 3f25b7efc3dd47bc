import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import { authorityEnd, expiryNotices, expiryText, onlyNews } from '../../shared/operations/expiry.ts'
import { makeAuthority } from '../support/certificates.ts'
import { CliFolder, mailboxOn, runCli, startCli } from '../support/cli.ts'
import { startPop3Server } from '../support/pop3-server.ts'

const DAY_MS = 86_400_000
const NOW = new Date('2026-11-25T12:00:00Z')

function notice(milliseconds: number) {
  const at = new Date(NOW.getTime() + milliseconds)
  return expiryNotices([{ what: 'client secret', at }], NOW)[0]
}

describe('what runs out', () => {
  const cases: readonly (readonly [string, number, number | undefined, RegExp | undefined])[] = [
    ['in 30 days and a second', 30 * DAY_MS + 1000, undefined, undefined],
    ['in 30 days', 30 * DAY_MS, 30, /^the client secret expires on 2026-12-25, in 30 days$/],
    ['in 8 days', 8 * DAY_MS, 30, /in 8 days$/],
    ['in 7 days', 7 * DAY_MS, 7, /in 7 days$/],
    ['in a day', DAY_MS, 1, /in 1 day$/],
    ['in a second', 1000, 1, /in less than a day$/],
    ['now', 0, 0, /^the client secret has expired on 2026-11-25$/],
    ['a year ago', -365 * DAY_MS, 0, /^the client secret has expired on 2025-11-25$/],
  ]
  for (const [name, milliseconds, within, text] of cases)
    test(name, () => {
      const found = notice(milliseconds)
      assert.equal(found?.within, within)
      if (found && text) assert.match(expiryText(found), text)
    })

  test('first comes first', () => {
    const at = (days: number): Date => new Date(NOW.getTime() + days * DAY_MS)
    const notices = expiryNotices(
      [
        { what: 'certificate', at: at(20) },
        { what: 'private CA', at: at(-2) },
        { what: 'client secret', at: at(3) },
        { what: 'refresh token', at: at(90) },
      ],
      NOW,
    )
    assert.deepEqual(
      notices.map(({ what, within }) => [what, within]),
      [
        ['private CA', 0],
        ['client secret', 7],
        ['certificate', 30],
      ],
    )
  })

  test('is said once by whoever runs on, and again when it has become more urgent', () => {
    const news = onlyNews()
    const at = new Date('2026-12-10T00:00:00Z')
    const said = ['2026-11-20', '2026-11-21', '2026-12-04', '2026-12-05', '2026-12-09', '2026-12-11'].flatMap(
      (day) =>
        news(mailboxId('a'), expiryNotices([{ what: 'certificate', at }], new Date(`${day}T12:00:00Z`))).map(
          ({ within }) => [day, within],
        ),
    )
    assert.deepEqual(said, [
      ['2026-11-20', 30],
      ['2026-12-04', 7],
      ['2026-12-09', 1],
      ['2026-12-11', 0],
    ])
    const ofAnother = expiryNotices([{ what: 'certificate', at }], new Date('2026-12-05T12:00:00Z'))
    assert.equal(news(mailboxId('b'), ofAnother).length, 1)
  })

  test('of several authorities in one file the one that ends first counts, and what is none is passed over', () => {
    const pem = makeAuthority().caPem
    const end = authorityEnd(pem)
    assert.ok(end && Math.abs(end.getTime() - Date.now() - 365 * DAY_MS) < DAY_MS)
    const short = makeAuthority().issue({ names: ['x'] }).certPem
    assert.deepEqual(authorityEnd(`${pem}${short}`), authorityEnd(short))
    assert.equal(authorityEnd('-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----'), undefined)
    assert.equal(authorityEnd('nothing'), undefined)
  })
})

describe('mailsluice check tells what runs out', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailsluice-expiry-'))
  })
  after(() => rm(folder, { recursive: true }))

  test('of secrets and certificates, also while the mailbox cannot be opened', async () => {
    const day = new Date(Date.now() + 5 * DAY_MS).toISOString().slice(0, 10)
    const { keyPem, certPem } = makeAuthority().issue({
      names: ['x'],
      validTo: new Date(Date.now() + 20 * DAY_MS),
    })
    const secrets = {
      secret: JSON.stringify({ clientSecret: 'marked-client-secret', expires: day }),
      certificate: `${keyPem}${certPem}`,
    }
    for (const [name, secret] of Object.entries(secrets))
      await writeFile(join(folder, name), secret, { mode: 0o600 })
    const oauth2 = '{ grant: client-credentials, tokenUrl: "http://127.0.0.1:1/token", clientId: app }'
    const mailbox = (id: string): string =>
      `  - { id: ${id}, protocol: pop3, host: 127.0.0.1, port: 1, tls: none, user: u, credential: "file:${id}", auth: oauth2, oauth2: ${oauth2} }\n`
    const config = join(folder, 'mailsluice.yaml')
    await writeFile(
      config,
      `queues: { default: q }\nmailboxes:\n${mailbox('secret')}${mailbox('certificate')}`,
    )

    const { status, stdout, stderr } = await runCli([
      'check',
      '--json',
      '--config',
      config,
      `--local=${join(folder, 'local')}`,
    ])

    assert.equal(status, 1)
    assert.match(
      stderr,
      new RegExp(`^mailsluice: secret: the client secret expires on ${day}, in [45] days$`, 'm'),
    )
    assert.match(
      stderr,
      /^mailsluice: certificate: the certificate expires on \d{4}-\d\d-\d\d, in (19|20) days$/m,
    )
    const expiring = stdout
      .trim()
      .split('\n')
      .flatMap(
        (line) => (JSON.parse(line) as { expiring?: { what: string; within: number }[] }).expiring ?? [],
      )
    assert.deepEqual(
      expiring.map(({ what, within }) => [what, within]),
      [
        ['client secret', 7],
        ['certificate', 30],
      ],
    )
    assert.doesNotMatch(stdout + stderr, /marked|PRIVATE KEY/)
  })
})

test('drain and relay tell what runs out of the mailboxes that they entered', async () => {
  const folder = new CliFolder()
  const authority = makeAuthority({ validTo: new Date(Date.now() + 5.5 * DAY_MS) })
  const { keyPem, certPem } = authority.issue({ names: ['127.0.0.1'] })
  const server = await startPop3Server({ tls: { mode: 'implicit', keyPem, certPem } })
  folder.write('ca.pem', authority.caPem)
  const mailbox = mailboxOn(server, { protocol: 'pop3', tls: 'implicit', ca: 'ca.pem', every: '1s' })
  const given = ['--config', folder.config('mailsluice.yaml', mailbox), folder.local('local')]
  const environment = { PASSWORD: server.password }
  const notice = /^mailsluice: orders: the private CA expires on \d{4}-\d\d-\d\d, in 5 days$/gm
  const relay = startCli(['relay', ...given], environment)
  try {
    await relay.until('stderr', /the private CA expires/)
    relay.child.kill('SIGTERM')
    assert.equal((await relay.ended).stderr.match(notice)?.length, 1)

    const { status, stderr } = await runCli(['drain', ...given], environment)
    assert.deepEqual([status, stderr.match(notice)?.length], [0, 1])
  } finally {
    relay.child.kill('SIGKILL')
    await server.close()
    folder.remove()
  }
})
