import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { ObjectKey } from '../../shared/contract/ids.ts'
import { openFileState } from '../../shared/state/file.ts'
import type { Revision } from '../../shared/state/state.ts'
import { stateContract } from '../contract/state.ts'

const KEY = 'mailboxes.json' as ObjectKey

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-state-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

stateContract('files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-state-'))
  return {
    state: openFileState(join(folder, 'made', 'on the way')),
    close: () => rm(folder, { recursive: true, force: true }),
  }
})

describe('state as files', () => {
  test('is the same for two processes', async () => {
    const folder = await temporaryFolder()
    const [one, other] = [openFileState(folder), openFileState(folder)]
    await one.write(KEY, Buffer.from('1'), undefined)
    const revision = (await other.read(KEY))?.revision as Revision

    assert.equal(await other.write(KEY, Buffer.from('2'), revision), true)
    assert.equal(await one.write(KEY, Buffer.from('3'), revision), false)
    assert.equal(String((await one.read(KEY))?.content), '2')
  })

  test('keeps the last generation only, and nothing half-written', async () => {
    const folder = await temporaryFolder()
    const state = openFileState(folder)
    for (let i = 0; i < 5; i++) await state.write(KEY, Buffer.from(String(i)), 'any')

    assert.deepEqual(await readdir(join(folder, KEY)), ['0000000005'])
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
  })

  test('takes a revision of a folder that was made anew for an old one', async () => {
    const folder = await temporaryFolder()
    const state = openFileState(folder)
    await state.write(KEY, Buffer.from('old'), undefined)
    const revision = (await state.read(KEY))?.revision as Revision
    await rm(join(folder, KEY), { recursive: true })
    await openFileState(folder).write(KEY, Buffer.from('new'), undefined)

    assert.equal(await state.write(KEY, Buffer.from('newer'), revision), false)
  })
})
