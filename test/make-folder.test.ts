import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { makeFolder } from '../shared/make-folder.ts'

describe('a folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'mailsluice-folder-'))
  after(() => rmSync(root, { recursive: true }))

  test('is made with the parents that are missing, which are told from the top', () => {
    const path = join(root, 'a', 'b', 'c')
    assert.deepEqual(makeFolder(path), [join(root, 'a'), join(root, 'a', 'b'), path])
    assert.ok(statSync(path).isDirectory())
  })

  test('that is there is left alone', () => {
    assert.deepEqual(makeFolder(root), [])
    assert.deepEqual(makeFolder('/'), [])
  })

  test('cannot be a file, nor below one', () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    assert.throws(() => makeFolder(file), { code: 'EEXIST' })
    assert.throws(() => makeFolder(join(file, 'below')), { code: 'ENOTDIR' })
  })

  test('that the file system does not make is told, and not tried for ever', {
    skip: existsSync('/proc/self') ? false : 'no /proc here',
  }, () => {
    assert.throws(() => makeFolder('/proc/nowhere/below'), { code: 'ENOENT' })
  })
})
