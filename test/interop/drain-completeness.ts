import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { CliFolder, type CliResult, jsonLines, runCli } from '../support/cli.ts'
import type { MailServer } from '../support/mail-server.ts'
import { digestOf } from '../support/stores.ts'
import { letter, newUser, onWire } from './mail-servers.ts'

interface Difference {
  readonly reason: string
  readonly messages: number
}

interface Folder {
  readonly server?: { readonly messages: number }
  readonly archive: Record<string, number>
  readonly differences: readonly Difference[]
}

/** Certificates of what a server has and what was archived, by the command line: on a server that is running when the tests do. */
export function completenessOn(running: () => MailServer): void {
  for (const protocol of ['imap', 'pop3'] as const)
    describe(`completeness over ${protocol}`, () => {
      test('differences have a reason, the unexplained ones fail, and a repair fetches what is missing', async () => {
        const server = running()
        const user = newUser()
        const folder = new CliFolder()
        try {
          folder.write('ca.pem', server.ca)
          const port = server.ports[`${protocol}s`]
          const account = { host: 'localhost', port, ca: 'ca.pem', user, credential: 'env:PASSWORD' }
          const config = folder.config('mailsluice.yaml', { id: 'orders', protocol, ...account })
          const run = (...command: string[]): Promise<CliResult> =>
            runCli([...command, '--config', config, folder.local('data')], { PASSWORD: server.password })
          const letters = Array.from({ length: 6 }, (_, number) => letter(number))
          await server.put(user, 'INBOX', letters.slice(0, 4))

          const never = await run('ledger', 'reconcile', '--json')
          assert.equal(never.status, 0)
          assert.deepEqual(reasonsOf(never), { 'not-yet-drained': 4 })

          assert.equal((await run('drain')).status, 0)
          const drained = await run('ledger', 'reconcile', '--json')
          assert.equal(drained.status, 0, drained.stderr)
          assert.deepEqual(reasonsOf(drained), {})
          assert.deepEqual(foldersOf(drained)[0]?.archive, {
            messages: 4,
            onServer: 4,
            removedAsConfigured: 0,
            removedByOthers: 0,
          })

          // Another client deletes one, two come, and somebody removes one from the archive.
          const [first = ''] = await server.files(user)
          await rm(join(server.maildir(user), 'cur', first))
          await server.put(user, 'INBOX', letters.slice(4))
          const digest = digestOf(onWire(letters[1] as string))
          const object = join(folder.path, 'data/archive/raw/orders', digest.slice(0, 2), `${digest}.eml`)
          await rm(object)
          const broken = await run('ledger', 'reconcile', '--json')
          assert.equal(broken.status, 1)
          assert.deepEqual(reasonsOf(broken), { 'object-missing': 1, 'arrived-since': 2 })
          assert.equal(foldersOf(broken)[0]?.archive.removedByOthers, 1)
          assert.match(broken.stderr, new RegExp(`object-missing: raw/orders/.*${digest}`))

          const repaired = await run('ledger', 'reconcile', '--repair', '--store')
          assert.equal(repaired.status, 0, repaired.stderr)
          assert.match(
            repaired.stdout,
            /^orders: complete, .*\n {2}INBOX .*: 5 on the server, 5 of them archived; 6 archived in all, 1 removed by others$/m,
          )
          assert.match(repaired.stdout, /stored as evidence\/certificates\/orders\/\d{8}T\d{9}Z\.ndjson/)
          const verified = await run('archive', 'verify', '--deep')
          assert.equal(verified.status, 0, verified.stdout)
        } finally {
          folder.remove()
        }
      })
    })
}

function foldersOf({ stdout }: CliResult): readonly Folder[] {
  const [certificate] = jsonLines(stdout)
  assert.equal(certificate?.type, 'certificate')
  return certificate.folders as Folder[]
}

function reasonsOf(result: CliResult): Record<string, number> {
  return Object.fromEntries(
    (foldersOf(result)[0]?.differences ?? []).map(({ reason, messages }) => [reason, messages]),
  )
}
