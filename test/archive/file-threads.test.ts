import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { toFileError } from '../../shared/archive/file-errors.ts'
import { type Step, toError, writeStep } from '../../shared/archive/file-steps.ts'
import { runSteps } from '../../shared/archive/file-threads.ts'
import { IngestError } from '../../shared/errors.ts'
import { OctetArena } from '../../shared/octet-arena.ts'

const FILE_THREADS = new URL('../../shared/archive/file-threads.ts', import.meta.url).href

describe('a thread that writes files', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailsluice-files-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('writes octets from its own memory and from that which all see, however many, to files that nobody may write', async () => {
    const arena = new OctetArena(4 * 1024 * 1024)
    for (const octets of [0, 1, 3_000_000]) {
      const lent = arena.take(octets).fill('x')
      for (const [index, buffer] of [lent, Buffer.alloc(octets, 'y')].entries()) {
        const path = join(folder, `${octets}-${index}`)
        assert.equal(await runSteps([writeStep(path, buffer)]), undefined)
        assert.deepEqual(await readFile(path), buffer)
        assert.equal((await stat(path)).mode & 0o777, 0o444)
      }
    }
  })

  test('stops at the step that fails and says which one, and goes on with those of others', async () => {
    const [one, other, third] = ['one', 'other', 'third'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    const [failed, done] = await Promise.all([
      runSteps([
        writeStep(one, Buffer.from('1')),
        { do: 'link', path: join(folder, 'missing'), name: other },
        writeStep(other, Buffer.from('2')),
      ]),
      runSteps([writeStep(third, Buffer.from('3'))]),
    ])

    assert.equal(done, undefined)
    assert.deepEqual([failed?.at, failed?.errno, failed?.syscall], [1, 'ENOENT', 'link'])
    assert.deepEqual(
      (await readdir(folder)).filter((name) => ['one', 'other', 'third'].includes(name)),
      ['one', 'third'],
    )
  })

  test('fails with what the file system says, whichever step it is', async () => {
    const there = join(folder, 'there')
    const missing = join(folder, 'missing', 'name')
    const folderIsThere: Step = { do: 'make-folder', folder: join(folder, 'made') }
    assert.equal(await runSteps([writeStep(there, Buffer.of()), folderIsThere, folderIsThere]), undefined)
    for (const [step, errno] of [
      [{ do: 'assert-absent', path: there }, 'EEXIST'],
      [writeStep(there, Buffer.of()), 'EEXIST'],
      [writeStep(missing, Buffer.of()), 'ENOENT'],
      [{ do: 'make-folder', folder: missing }, 'ENOENT'],
      [{ do: 'make-folder', folder: join(there, 'name') }, 'ENOTDIR'],
      [{ do: 'sync', folder: missing }, 'ENOENT'],
      [{ do: 'link', path: there, name: there }, 'EEXIST'],
      [{ do: 'unlink', path: missing }, 'ENOENT'],
    ] as const) {
      const failure = await runSteps([step])
      assert.equal(failure?.errno, errno, step.do)
      assert.ok(failure && toFileError(toError(failure), 'archive') instanceof IngestError)
    }
  })

  test('that ends by a defect fails what it was at, and another one is begun for what follows', async () => {
    const path = join(folder, 'after')
    const defect = { do: 'write', path: join(folder, 'defect'), octets: { length: 1 } } as unknown as Step
    const [lost, alsoLost] = await Promise.allSettled([
      runSteps([defect]),
      runSteps([writeStep(path, Buffer.of())]),
    ])

    assert.equal(lost.status, 'rejected')
    if (alsoLost.status === 'rejected') assert.match(`${alsoLost.reason}`, /thread that writes files/)
    assert.equal(await runSteps([writeStep(`${path}-again`, Buffer.of())]), undefined)
  })

  test('does not keep the process alive when it has nothing to do', async () => {
    const program = `
      import { runSteps } from ${JSON.stringify(FILE_THREADS)}
      console.log(await runSteps([{ do: 'sync', folder: ${JSON.stringify(folder)} }]))`
    const ran = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      timeout: 20_000,
    })
    assert.equal(ran.stdout.trim(), 'undefined')
  })
})
