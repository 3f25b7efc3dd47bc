import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { PutOptions } from '../../shared/archive/archive.ts'
import { openFileArchive } from '../../shared/archive/file.ts'
import { toFileError } from '../../shared/archive/file-errors.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import type { ErrorCode } from '../../shared/errors.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { isCode } from '../contract/archive.ts'

const OPTIONS: PutOptions = { contentType: 'message/rfc822', writtenFor: { seq: 1, drain: 'd' as DrainId } }

describe('what a file system fails with', () => {
  for (const [errno, code] of Object.entries<ErrorCode>({
    ENOSPC: 'ARCHIVE_UNAVAILABLE',
    EDQUOT: 'ARCHIVE_UNAVAILABLE',
    EIO: 'ARCHIVE_UNAVAILABLE',
    EMFILE: 'ARCHIVE_UNAVAILABLE',
    EACCES: 'ARCHIVE_DENIED',
    EROFS: 'ARCHIVE_DENIED',
    EXDEV: 'ARCHIVE_MISCONFIGURED',
    ENOTSUP: 'ARCHIVE_MISCONFIGURED',
  }))
    test(`${errno} is ${code}, with place and errno in the message`, () => {
      const error = Object.assign(new Error('from the system'), { code: errno, syscall: 'link' })

      const failure = toFileError(error, 'archive /mail')

      assert.equal(failure.code, code)
      assert.match(failure.message, new RegExp(`^archive /mail: ${errno}: .`))
      assert.equal(failure.cause, error)
    })

  test('is a defect when it is not of the file system', () => {
    const defect = new RangeError('a bug')

    assert.throws(() => toFileError(defect, 'archive /mail'), defect)
  })

  test('a full disk is said as such, and the archive works again when there is room', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-full-'))
    const run = promisify(execFile)
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder])
    } catch {
      await rm(folder, { recursive: true })
      return t.skip('a small file system cannot be mounted here: needs root')
    }
    try {
      const archive = openFileArchive(folder)
      const small = memoryOctets(randomBytes(1000))
      const large = memoryOctets(randomBytes(300_000))
      const put = archive.put(rawKey(mailboxId('m'), large.sha256), large, OPTIONS)

      await assert.rejects(
        put,
        (error) => isCode('ARCHIVE_UNAVAILABLE')(error) && /the disk is full/.test(String(error)),
      )

      assert.deepEqual(await readdir(join(folder, '.incoming')), [])
      assert.equal(
        (await archive.put(rawKey(mailboxId('m'), small.sha256), small, OPTIONS)).outcome,
        'created',
      )
    } finally {
      await run('umount', [folder])
      await rm(folder, { recursive: true })
    }
  })
})
