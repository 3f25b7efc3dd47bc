import { after, before, describe, test } from 'node:test'
import type { MailServer } from '../support/mail-server.ts'
import { acknowledgementOn } from './drain-acknowledgement.ts'
import { completenessOn } from './drain-completeness.ts'
import { corpusOn } from './drain-corpus.ts'
import { foldersOn } from './drain-folders.ts'
import { identityOn } from './drain-identity.ts'
import { sizeOn } from './drain-size.ts'
import { CANDIDATES } from './mail-servers.ts'

// Whole drains from real mail servers, into an archive and queues of this machine.

for (const candidate of CANDIDATES) {
  const { name, missing } = candidate
  if (missing !== undefined) test(`drains from ${name}`, { skip: missing }, () => {})
  else
    describe(`drains from ${name}`, () => {
      let server: MailServer
      before(async () => {
        server = await candidate.start()
      })
      after(() => server.stop())

      corpusOn(candidate, () => server)
      identityOn(() => server)
      acknowledgementOn(() => server)
      foldersOn(() => server)
      completenessOn(() => server)
      sizeOn(() => server)
    })
}
