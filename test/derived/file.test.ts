import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readIfThere } from '../../shared/archive/durable-file.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { attachmentKey } from '../../shared/contract/object-key.ts'
import { openFileDerived } from '../../shared/derived/file.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { isCode } from '../contract/archive.ts'
import { derivedContract } from '../contract/derived.ts'

derivedContract('a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-test-'))
  return {
    derived: openFileDerived(folder),
    read: (key) => readIfThere(join(folder, key)),
    async close() {
      assert.deepEqual(await readdir(join(folder, '.incoming')), [], 'something was left behind')
      await rm(folder, { recursive: true })
    },
  }
})

describe('derived files', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailsluice-test-'))
  })
  after(() => rm(folder, { recursive: true }))

  const body = memoryOctets(Buffer.from('octets'))
  const key = attachmentKey(mailboxId('invoices'), body.sha256)

  test('where a file stands in the place of the folder are an error of the configuration', async () => {
    const path = join(folder, 'file')
    await writeFile(path, '')

    await assert.rejects(
      openFileDerived(join(path, 'derived')).put(key, body),
      isCode('ARCHIVE_MISCONFIGURED'),
    )
  })

  test('where nobody may write are an error that says so', {
    skip: process.getuid?.() === 0 && 'root may write everywhere',
  }, async () => {
    await chmod(folder, 0o500)
    await assert.rejects(openFileDerived(folder).put(key, body), isCode('ARCHIVE_DENIED'))
    await chmod(folder, 0o700)
  })
})
