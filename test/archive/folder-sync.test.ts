import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openFolderSync } from '../../shared/archive/folder-sync.ts'

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-sync-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

describe('the fsync of folders', () => {
  test('that are asked for while one runs share the next one, and none shares one that began before', async () => {
    const folder = await temporaryFolder()
    const folders = openFolderSync(folder)

    const first = folders.sync(folder)
    const second = folders.sync(folder)
    const third = folders.sync(folder)

    assert.notEqual(second, first)
    assert.equal(third, second)
    await first
    const fourth = folders.sync(folder)
    await second
    const fifth = folders.sync(folder)
    assert.notEqual(fifth, second)
    await Promise.all([fourth, fifth])
    const sixth = folders.sync(folder)
    assert.notEqual(sixth, fifth)
    await sixth
  })

  test('that fails fails who asked for it, and not who asks later', async () => {
    const root = await temporaryFolder()
    const folders = openFolderSync(root)
    const missing = join(root, 'missing')

    const [first, second] = await Promise.allSettled([folders.sync(missing), folders.sync(missing)])

    assert.equal(first.status, 'rejected')
    assert.equal(second.status, 'rejected')
    await folders.ensure(missing)
    await folders.sync(missing)
  })

  test('makes folders with their parents, asked for at the same time or one after the other', async () => {
    const root = join(await temporaryFolder(), 'not', 'yet')
    const folders = openFolderSync(root)
    const names = ['a/b/c', 'a/b', 'a', 'a/d'].map((name) => join(root, name))

    await Promise.all(names.map((name) => folders.ensure(name)))
    await Promise.all(names.map((name) => folders.ensure(name)))

    for (const name of names) assert.ok((await stat(name)).isDirectory())
  })

  test('tries again to make what could not be made before', async () => {
    const parent = await temporaryFolder()
    const root = join(parent, 'a', 'b')
    const folders = openFolderSync(root)
    await writeFile(join(parent, 'a'), '')
    await assert.rejects(folders.ensure(join(root, 'c')))
    await rm(join(parent, 'a'))

    await folders.ensure(join(root, 'c'))

    assert.ok((await stat(join(root, 'c'))).isDirectory())
  })
})
