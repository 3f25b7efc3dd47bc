import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { ERROR_CODES } from '../../shared/errors.ts'
import { goodServer, MAILS } from '../support/bad-servers.ts'
import { jsonLines, runCli, startCli } from '../support/cli.ts'
import { assertTold, DrainFolder, ENVIRONMENT } from '../support/drain-folder.ts'

// Whatever is wrong with disk, folders or queues of this machine: the exit status is 1, stderr names mailbox, cause and what to do, and a
// later drain ends with every message archived and announced once.

const PROTOCOLS = ['imap', 'pop3'] as const

const folder = new DrainFolder()
after(() => folder.close())

function large(octets: number): string {
  return `Subject: large\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(octets / 78)}`
}

/** Files of this process cannot grow beyond 2 MiB: as on a full disk, a write in the middle fails. */
const FULL = { fileBlocks: 4096 }

describe('the spool', () => {
  for (const protocol of PROTOCOLS) {
    test(`${protocol}: has no place: what is small is archived, and the large message is not lost`, async () => {
      const mails = [...MAILS, large(9_400_000)]
      const place = `${protocol}-spool`
      const server = await folder.serve(goodServer(protocol, mails))
      const blocked = join(folder.write(`${place}.tmp`, ''), 'below')
      const environment = { ...ENVIRONMENT, TMPDIR: blocked }
      const drained = await startCli(['drain', ...folder.of(place, server)], environment).ended
      assertTold(drained, 'SPOOL_FAILED', /cannot make a spool folder in .*below: ENOTDIR/)
      await folder.assertRecovers(protocol, place, mails)
    })

    test(`${protocol}: is full: the large message is not lost, and no half of it`, async () => {
      const mails = [...MAILS, large(9_400_000)]
      const place = `${protocol}-full`
      const server = await folder.serve(goodServer(protocol, mails))
      const drained = await startCli(['drain', ...folder.of(place, server)], ENVIRONMENT, FULL).ended
      assertTold(drained, 'SPOOL_FAILED', /cannot write a message to .*EFBIG/)
      await folder.assertRecovers(protocol, place, mails)
    })
  }
})

describe('the archive', () => {
  test('is full: the message is not lost, and no half of it is kept', async () => {
    const mails = [...MAILS, large(3_000_000)]
    const server = await folder.serve(goodServer('imap', mails))
    const drained = await startCli(['drain', ...folder.of('full', server)], ENVIRONMENT, FULL).ended
    assertTold(drained, 'ARCHIVE_UNAVAILABLE', /EFBIG/)
    await folder.assertRecovers('imap', 'full', mails)
  })

  test('has no place', async () => {
    const server = await folder.serve(goodServer('imap'))
    folder.write('a-file', '')
    for (const command of ['drain', 'check']) {
      const arguments_ = [command, ...folder.of('below', server), folder.local('a-file/below')]
      const { status, stderr } = await runCli(arguments_, ENVIRONMENT)
      assert.equal(status, 1)
      assert.match(stderr, /ARCHIVE_MISCONFIGURED: .*a-file\/below.*: ENOTDIR: /)
      assert.ok(stderr.includes(ERROR_CODES.ARCHIVE_MISCONFIGURED.remedy))
    }
  })

  test('has a place that is partly something else', async () => {
    const place = 'vanishing'
    mkdirSync(join(folder.path, place, 'archive'), { recursive: true })
    writeFileSync(join(folder.path, place, 'archive', 'raw'), '')
    const server = await folder.serve(goodServer('imap'))
    assertTold(await folder.drainFrom(server, place), 'ARCHIVE_MISCONFIGURED', /ENOTDIR: .*raw/)
  })
})

describe('the queues', () => {
  for (const file of ['lock.sqlite', 'data/*'])
    test(`have a damaged database (${file}): the archive is read without it, and who needs it is told what to do`, async () => {
      const place = `damaged-${file.slice(0, 4)}`
      const server = await folder.serve(goodServer('imap'))
      assert.equal((await folder.drainFrom(server, place)).status, 0)
      const queues = join(folder.path, place, 'queues')
      const damaged =
        file === 'data/*' ? readdirSync(join(queues, 'data')).map((name) => join('data', name)) : [file]
      assert.notEqual(damaged.length, 0)
      for (const name of damaged) writeFileSync(join(queues, name), 'not a database '.repeat(1000))

      const arguments_ = folder.of(place)
      const said = /QUEUE_UNAVAILABLE: cannot serve the queues in .*queues: .*damaged: move the folder away/
      assert.equal((await runCli(['ledger', 'verify', ...arguments_])).status, 0)
      for (const command of ['check', 'events receive']) {
        const { status, stderr } = await runCli([...command.split(' '), ...arguments_], ENVIRONMENT)
        assert.equal(status, 1)
        assert.match(stderr, said)
      }

      const more = large(100_000)
      const later = await folder.serve(goodServer('imap', [...MAILS, more]))
      assertTold(await folder.drainFrom(later, place), 'QUEUE_UNAVAILABLE', said)
      rmSync(queues, { recursive: true })
      assert.match((await folder.drainFrom(later, place)).stdout, /^orders: 1 announced that were pending/)
      const { stdout } = await runCli(['events', 'receive', '--json', ...folder.of(place)])
      assert.deepEqual(
        jsonLines(stdout).map(({ data }) => (data as { message: { subject: string } }).message.subject),
        ['large'],
      )
    })
})
