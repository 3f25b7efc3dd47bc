import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmod,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { SPOOL } from '../shared/limits.ts'
import { memoryOctets, openSpool, piecesOf, type Spool } from '../shared/octets.ts'
import { isCode } from './contract/archive.ts'

const SPOOLING = fileURLToPath(new URL('support/spooling.ts', import.meta.url))
const DAYS_AGO = new Date(Date.now() - 2 * 86_400_000)

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-octets-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function newSpool(): Promise<{ spool: Spool; parent: string; spooled: () => Promise<string[]> }> {
  const parent = await temporaryFolder()
  const spool = openSpool(parent)
  after(() => spool.close())
  return {
    spool,
    parent,
    spooled: async () =>
      (await readdir(parent, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(({ name }) => name),
  }
}

const digestOf = (octets: Buffer) => createHash('sha256').update(octets).digest('hex')

/** Cut into pieces, and whether it was closed before its end. */
function source(octets: Buffer, pieces = 4) {
  const size = Math.max(1, Math.ceil(octets.length / pieces))
  const state = { closed: false }
  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size)
    } finally {
      state.closed = true
    }
  }
  return Object.assign(chunks(), { state })
}

describe('octets in memory', () => {
  test('have their length and SHA-256, and can be opened any number of times', async () => {
    const content = randomBytes(5000)

    const octets = memoryOctets(content)

    assert.equal(octets.length, 5000)
    assert.equal(octets.sha256, digestOf(content))
    assert.equal(octets.path, undefined)
    for (let time = 0; time < 2; time++) assert.deepEqual(await buffer(octets.open()), content)
    await octets.discard()
    assert.deepEqual(await buffer(octets.open()), content)
  })

  test('may be none', async () => {
    const octets = memoryOctets(Buffer.alloc(0))

    assert.equal(octets.sha256, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    assert.deepEqual(await buffer(octets.open()), Buffer.alloc(0))
  })
})

describe('a spool', () => {
  test('keeps in memory what is at most the limit, and on disk what is one octet more', async () => {
    const { spool, spooled } = await newSpool()

    const small = await spool.collect(source(randomBytes(1000)), 1000)
    assert.equal(small.buffer?.length, 1000)
    assert.deepEqual(await spooled(), [])

    const large = await spool.collect(source(randomBytes(1001)), 1000)
    assert.equal(large.buffer, undefined)
    assert.equal((await spooled()).length, 1)
  })

  test('keeps octets exactly, however they come', async () => {
    const { spool } = await newSpool()
    const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 12 })

    await fc.assert(
      fc.asyncProperty(pieces, fc.nat(200), async (parts, limit) => {
        const whole = Buffer.concat(parts)

        const octets = await spool.collect(Readable.from(parts.map((part) => Buffer.from(part))), limit)

        assert.equal(octets.length, whole.length)
        assert.equal(octets.sha256, digestOf(whole))
        assert.equal(octets.path === undefined, whole.length <= limit)
        for (let time = 0; time < 2; time++) assert.deepEqual(await buffer(octets.open()), whole)
        await octets.discard()
      }),
    )
  })

  test('takes messages beside each other, each into a file of its own', async () => {
    const { spool } = await newSpool()
    const messages = Array.from({ length: 64 }, () => randomBytes(20_000))

    const kept = await Promise.all(messages.map((message) => spool.collect(source(message, 20), 100)))

    assert.equal(new Set(kept.map(({ path }) => path)).size, 64)
    for (const [i, octets] of kept.entries()) assert.deepEqual(await buffer(octets.open()), messages[i])
  })

  test('removes a message that is discarded, also twice, and no other', async () => {
    const { spool, spooled } = await newSpool()
    const [one, other] = await Promise.all([
      spool.collect(source(randomBytes(100)), 10),
      spool.collect(source(randomBytes(100)), 10),
    ])

    await one.discard()
    await one.discard()

    assert.equal((await spooled()).length, 1)
    assert.equal((await buffer(other.open())).length, 100)
  })

  test('removes at its end what is left, its own folder too', async () => {
    const { spool, parent } = await newSpool()
    await spool.collect(source(randomBytes(100)), 10)

    await spool.close()

    assert.deepEqual(await readdir(parent), [])
  })

  test('that was never needed makes no folder', async () => {
    const { spool, parent } = await newSpool()
    await spool.collect(source(randomBytes(100)), 100)

    assert.deepEqual(await readdir(parent), [])
    await spool.close()
  })

  test('keeps mail from other users of the machine', { skip: isWindows() }, async () => {
    const { spool } = await newSpool()

    const { path = '' } = await spool.collect(source(randomBytes(100)), 10)

    assert.equal((await stat(path)).mode & 0o077, 0)
    assert.equal((await stat(dirname(path))).mode & 0o077, 0)
  })

  for (const [when, limit] of Object.entries({ 'in memory': 1_000_000, 'on disk': 10 }))
    test(`passes on what a source fails with while it is ${when}, and keeps nothing`, async () => {
      const { spool, spooled } = await newSpool()
      const failure = new Error('the connection broke')
      async function* broken(): AsyncGenerator<Buffer> {
        yield randomBytes(100)
        yield randomBytes(100)
        throw failure
      }

      await assert.rejects(spool.collect(broken(), limit), (error) => error === failure)

      assert.deepEqual(await spooled(), [])
      assert.equal((await spool.collect(source(randomBytes(100)), 10)).length, 100)
    })

  test('on a path where no folder can be made is SPOOL_FAILED, closes the source and can be closed', async () => {
    const parent = await temporaryFolder()
    await writeFile(join(parent, 'file'), '')
    const spool = openSpool(join(parent, 'file'))
    const octets = source(randomBytes(100))

    await assert.rejects(spool.collect(octets, 10), isCode('SPOOL_FAILED'))

    assert.equal(octets.state.closed, true)
    await spool.close()
  })

  test('whose disk takes no more octets is SPOOL_FAILED, closes the source and keeps nothing', {
    skip: isWindows(),
  }, async () => {
    const parent = await temporaryFolder()
    // Files of this process may have 1000 blocks of 512 octets.
    const child = spawn(
      'sh',
      ['-c', 'ulimit -f 1000; exec "$@"', 'sh', process.execPath, SPOOLING, parent, '5000000'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )

    assert.deepEqual(JSON.parse(await text(child.stdout)), { code: 'SPOOL_FAILED', closed: true })

    const [folder = ''] = await readdir(parent)
    assert.deepEqual(await readdir(join(parent, folder)), [])
  })

  test('in a folder that may not be written is SPOOL_FAILED', { skip: notRoot() }, async () => {
    const parent = await temporaryFolder()
    await chmod(parent, 0o755)
    process.seteuid?.(65534)
    try {
      await assert.rejects(openSpool(parent).collect(source(randomBytes(100)), 10), isCode('SPOOL_FAILED'))
    } finally {
      process.seteuid?.(0)
    }
  })
})

describe('a spool that a killed process left', () => {
  test('is removed by the first use of another one a day later, and no sooner', async () => {
    const parent = await temporaryFolder()
    const child = spawn(process.execPath, [SPOOLING, parent, '1000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'readable')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const [left = ''] = await readdir(parent)
    assert.match(left, /^mailsluice-spool-/)

    const soon = openSpool(parent)
    await soon.collect(source(randomBytes(100)), 10)
    assert.ok((await readdir(parent)).includes(left))
    await soon.close()
    await utimes(join(parent, left), DAYS_AGO, DAYS_AGO)
    const later = openSpool(parent)
    await later.collect(source(randomBytes(100)), 10)

    assert.equal((await readdir(parent)).includes(left), false)
    await later.close()
    assert.deepEqual(await readdir(parent), [])
  })

  test('is left alone when it is not ours, or only looks like one', { skip: notRoot() }, async () => {
    const parent = await temporaryFolder()
    const elsewhere = await temporaryFolder()
    await chmod(parent, 0o777)
    const old = join(elsewhere, 'mailsluice-spool-target')
    await mkdir(old)
    await writeFile(join(old, 'kept'), '')
    await symlink(old, join(parent, 'mailsluice-spool-link'))
    process.seteuid?.(65534)
    try {
      await mkdir(join(parent, 'mailsluice-spool-theirs'))
    } finally {
      process.seteuid?.(0)
    }
    await mkdir(join(parent, 'mailsluice'))
    for (const name of ['mailsluice-spool-theirs', 'mailsluice'])
      await utimes(join(parent, name), DAYS_AGO, DAYS_AGO)
    await lutimes(join(parent, 'mailsluice-spool-link'), DAYS_AGO, DAYS_AGO)
    await utimes(old, DAYS_AGO, DAYS_AGO)

    const spool = openSpool(parent)
    await spool.collect(source(randomBytes(100)), 10)
    await spool.close()

    assert.deepEqual((await readdir(parent)).sort(), [
      'mailsluice',
      'mailsluice-spool-link',
      'mailsluice-spool-theirs',
    ])
    assert.deepEqual(await readdir(old), ['kept'])
  })
})

function isWindows(): string | false {
  return process.platform === 'win32' && 'no modes'
}

function notRoot(): string | false {
  return process.getuid?.() === 0 ? false : 'only root can become somebody who may not'
}

describe('octets in pieces', () => {
  test('are the same, in memory and on disk, and a piece stays as it is until the next but one is asked for', async () => {
    const whole = randomBytes(3 * SPOOL.readOctets + 1)
    const spool = openSpool()
    try {
      for (const memoryOctets of [whole.length, 0]) {
        const octets = await spool.collect(Readable.from([whole], { objectMode: false }), memoryOctets)
        const copies: Buffer[] = []
        let before: Buffer | undefined
        for await (const piece of piecesOf(octets)) {
          if (before) copies.push(Buffer.from(before))
          before = piece
        }
        assert.ok(Buffer.concat([...copies, before as Buffer]).equals(whole))
        await octets.discard()
      }
    } finally {
      await spool.close()
    }
  })
})
