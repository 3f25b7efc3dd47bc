import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Claim, rememberEvents, type SeenOptions } from '../../shared/consumer/seen.ts'
import { openFileState } from '../../shared/state/file.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { openS3State, type S3State } from '../../shared/state/s3.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { type ScriptedS3, startScriptedS3 } from '../support/scripted-s3.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailsluice-seen-'))
let s3: ScriptedS3
let bucket: S3State
before(async () => {
  s3 = await startScriptedS3({ seen: {} })
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
  bucket = openS3State({ bucket: 'seen', region: 'us-east-1', endpoint: s3.endpoint, credentials })
})
after(async () => {
  bucket.close()
  await s3.close()
  rmSync(folder, { recursive: true, force: true })
})

const STORES: readonly [name: string, open: () => StateStore][] = [
  ['memory', openMemoryState],
  ['a folder', () => openFileState(folder)],
  ['a bucket', () => bucket],
]

for (const [name, open] of STORES)
  describe(`events remembered in ${name}`, () => {
    let next = 0
    const remember = (options: Partial<SeenOptions> = {}) =>
      rememberEvents(open(), { consumer: 'invoices', ...options })
    const newId = (): string => `invoices/${name}/../${next++}`
    const taken = (claim: Claim | string): Claim => {
      assert.ok(typeof claim === 'object', `it is ${claim as string}`)
      return claim
    }

    test('are claimed once, and done for ever', async () => {
      const seen = remember()
      const id = newId()
      const claim = taken(await seen.claim(id))
      assert.equal(await seen.claim(id), 'under-way')
      await claim.finish()
      assert.equal(await seen.claim(id), 'done')
      taken(await seen.claim(newId()))
    })

    test('may be claimed again when they are released', async () => {
      const seen = remember()
      const id = newId()
      await taken(await seen.claim(id)).release()
      await taken(await seen.claim(id)).finish()
      assert.equal(await seen.claim(id), 'done')
    })

    test('may be claimed again when the lease of who died has run out; a late release takes nothing from the next', async () => {
      let now = 1000
      const seen = remember({ leaseMs: 100, now: () => now })
      const id = newId()
      const died = taken(await seen.claim(id))
      now = 1099
      assert.equal(await seen.claim(id), 'under-way')
      now = 1100
      const next = taken(await seen.claim(id))
      await died.release()
      assert.equal(await seen.claim(id), 'under-way')
      await next.finish()
      await died.release()
      assert.equal(await seen.claim(id), 'done')
    })

    test('are kept apart for each consumer', async () => {
      if (name === 'memory') return
      const id = newId()
      await taken(await remember().claim(id)).finish()
      taken(await remember({ consumer: 'tickets' }).claim(id))
    })

    test('are claimed by one of many who ask at the same time', async () => {
      const seen = remember()
      const id = newId()
      const claims = await Promise.all(Array.from({ length: 8 }, () => seen.claim(id)))
      assert.equal(claims.filter((claim) => typeof claim === 'object').length, 1)
    })
  })

test('a consumer whose name would lead elsewhere is refused', () => {
  for (const consumer of ['', '../x', 'a/b', 'x'.repeat(65)])
    assert.throws(() => rememberEvents(openMemoryState(), { consumer }), TypeError)
})
