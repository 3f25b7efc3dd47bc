import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { openImap } from '../../shared/mailbox/imap.ts'
import { makeAuthority } from '../support/certificates.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { accessTo, collect, mail, withSession } from '../support/imap-session.ts'

const DAY_MS = 86_400_000

describe('IMAP over TLS', () => {
  const authority = makeAuthority()
  const servers: ImapServer[] = []
  after(() => Promise.all(servers.map((server) => server.close())))

  for (const mode of ['implicit', 'starttls'] as const)
    describe(mode, () => {
      async function start(
        certificate: Parameters<typeof authority.issue>[0],
      ): Promise<ImapServer & { readonly certPem: string }> {
        const issued = authority.issue(certificate)
        const server = await startImapServer({ messages: [mail(1)], tls: { mode, ...issued } })
        servers.push(server)
        return { ...server, certPem: issued.certPem }
      }

      test('a session under a private CA names its TLS version and certificate', async () => {
        const server = await start({ names: ['localhost', '127.0.0.1'] })

        for (const host of ['localhost', '127.0.0.1'])
          await withSession(
            openImap,
            accessTo(server, { tls: mode, host, ca: authority.caPem }),
            async (session) => {
              const fingerprint = new X509Certificate(server.certPem).fingerprint256
                .replaceAll(':', '')
                .toLowerCase()
              assert.equal(session.server.certificateSha256, fingerprint)
              assert.match(session.server.tls, /^TLSv1\.[23]$/)
              assert.equal((await collect(session, await session.list('INBOX'))).length, 1)
            },
          )
      })

      if (mode === 'starttls')
        test('what the server said in clear that it can do counts for nothing under TLS', async () => {
          const issued = authority.issue({ names: ['localhost'] })
          const server = await startImapServer({ tells: true, tls: { mode, ...issued } })
          servers.push(server)
          const lines: string[] = []
          const access = accessTo(server, {
            tls: mode,
            host: 'localhost',
            ca: authority.caPem,
            transcript: (line) => lines.push(line.replace(/^(C:) \S+ (\S+).*/, '$1 $2')),
          })
          await withSession(openImap, access, async () => {})
          const sent = lines.filter((line) => line.startsWith('C:'))
          assert.deepEqual(sent.slice(0, 3), ['C: STARTTLS', 'C: CAPABILITY', 'C: AUTHENTICATE'])
        })

      const rejected = async (server: ImapServer, ca: string | undefined, message: RegExp): Promise<void> => {
        const access = accessTo(server, { tls: mode, host: 'localhost', ca })
        await assert.rejects(openImap(access), { code: 'CERTIFICATE_REJECTED', scope: 'mailbox', message })
        assert.ok(!server.received.some((line) => /LOGIN|AUTHENTICATE/.test(line)))
      }

      test('a certificate of an unknown authority is rejected', async () => {
        await rejected(await start({ names: ['localhost'] }), undefined, /certificate/)
        await rejected(await start({ names: ['localhost'] }), makeAuthority().caPem, /certificate/)
      })

      test('an expired certificate is rejected', async () => {
        const [validFrom, validTo] = [new Date(Date.now() - 2 * DAY_MS), new Date(Date.now() - DAY_MS)]

        await rejected(await start({ names: ['localhost'], validFrom, validTo }), authority.caPem, /expired/)
      })

      test('a certificate for another host is rejected', async () => {
        await rejected(await start({ names: ['imap.example.org'] }), authority.caPem, /localhost/)
      })
    })
})
