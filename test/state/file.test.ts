import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
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

  test('keeps the last few generations only, and nothing half-written', async () => {
    const folder = await temporaryFolder()
    const state = openFileState(folder)
    for (let i = 0; i < 12; i++) await state.write(KEY, Buffer.from(String(i)), 'any')

    assert.equal((await readdir(join(folder, KEY))).length, 8)
    assert.equal(String((await state.read(KEY))?.content), '11')
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
  })

  test('loses no increment to a process that is stopped anywhere while others go on', async () => {
    const folder = await temporaryFolder()
    const state = openFileState(folder)
    await state.write(KEY, Buffer.from('0'), undefined)
    const script = fileURLToPath(new URL('../support/state-writer.ts', import.meta.url))
    const child = spawn(process.execPath, [script, folder, KEY], { stdio: ['ignore', 'pipe', 'inherit'] })
    after(() => child.kill('SIGKILL'))
    const said = text(child.stdout)
    await once(child.stdout, 'readable')
    let ours = 0

    for (let round = 0; round < 100; round++) {
      child.kill('SIGCONT')
      await sleep(Math.random() * 4)
      child.kill('SIGSTOP')
      // Enough that the number which it is about to take was used and removed. And nobody waits for the process that stands still.
      for (let i = 0; i < 9; i++) {
        const entry = await state.read(KEY)
        assert.ok(entry)
        if (await state.write(KEY, Buffer.from(String(Number(String(entry.content)) + 1)), entry.revision))
          ours++
      }
    }
    child.kill('SIGTERM')
    child.kill('SIGCONT')
    await once(child, 'exit')

    const theirs = (await said).length
    assert.ok(theirs > 0 && ours > 300, `${theirs} and ${ours}`)
    // It may have been told less than it made, when it was overtaken, and never more.
    const total = Number(String((await state.read(KEY))?.content))
    assert.ok(total >= ours + theirs, `${ours + theirs - total} increments were lost`)
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
