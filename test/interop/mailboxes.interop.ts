import { after, before, describe, test } from 'node:test'
import type { MailServer } from '../support/mail-server.ts'
import { imapOn } from './imap-mailbox.ts'
import { CANDIDATES } from './mail-servers.ts'
import { pop3On } from './pop3-mailbox.ts'

// The mailbox adapters against real servers; what these do differently is in docs/servers.md.

for (const candidate of CANDIDATES) {
  const { name, missing } = candidate
  if (missing !== undefined) test(`mailboxes on ${name}`, { skip: missing }, () => {})
  else
    describe(`mailboxes on ${name}`, () => {
      let server: MailServer
      before(async () => {
        server = await candidate.start()
      })
      after(() => server.stop())

      imapOn(candidate, () => server)
      pop3On(candidate, () => server)
    })
}
