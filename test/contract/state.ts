import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { ObjectKey } from '../../shared/contract/ids.ts'
import type { Revision, StateStore } from '../../shared/state/state.ts'

// What every state store promises (shared/state/state.ts), run on each of them.

export interface OpenedState {
  readonly state: StateStore
  close(): Promise<void>
}

export function stateContract(name: string, open: () => Promise<OpenedState>): void {
  describe(`${name} keeps the state store's promises`, () => {
    let opened: OpenedState
    let state: StateStore
    before(async () => {
      opened = await open()
      state = opened.state
    })
    after(() => opened.close())

    test('an entry that nobody wrote is not there', async () => {
      assert.equal(await state.read(freshKey()), undefined)
    })

    test('an entry is read as it was written', async () => {
      const key = freshKey()

      assert.equal(await state.write(key, Buffer.from('{"a":1}'), undefined), true)

      assert.equal(String((await state.read(key))?.content), '{"a":1}')
    })

    test('an entry is not read again by who knows its revision, until it is replaced', async () => {
      const key = freshKey()
      await state.write(key, Buffer.from('1'), undefined)
      const known = (await state.read(key))?.revision as Revision

      assert.equal(await state.readIfChanged(key, known), 'unchanged')

      await state.write(key, Buffer.from('2'), known)
      const entry = await state.readIfChanged(key, known)
      assert.ok(entry !== 'unchanged')
      assert.equal(String(entry?.content), '2')
      assert.equal(entry?.revision, (await state.read(key))?.revision)
    })

    test('an entry that is not there is not unchanged', async () => {
      const other = freshKey()
      await state.write(other, Buffer.from('1'), undefined)
      const revision = (await state.read(other))?.revision as Revision

      assert.equal(await state.readIfChanged(freshKey(), revision), undefined)
    })

    test('an entry may be empty', async () => {
      const key = freshKey()

      await state.write(key, Buffer.alloc(0), undefined)

      assert.equal((await state.read(key))?.content.length, 0)
    })

    test('what is written as new does not replace what is there', async () => {
      const key = freshKey()
      await state.write(key, Buffer.from('1'), undefined)

      assert.equal(await state.write(key, Buffer.from('2'), undefined), false)

      assert.equal(String((await state.read(key))?.content), '1')
    })

    test('what is written as new is not ours when somebody wrote the same before', async () => {
      const key = freshKey()
      await state.write(key, Buffer.from('1'), undefined)

      assert.equal(await state.write(key, Buffer.from('1'), undefined), false)
    })

    test('an entry is replaced by who knows its revision, and by nobody who knows an older one', async () => {
      const key = freshKey()
      await state.write(key, Buffer.from('1'), undefined)
      const first = (await state.read(key))?.revision as Revision

      assert.equal(await state.write(key, Buffer.from('2'), first), true)
      assert.equal(await state.write(key, Buffer.from('3'), first), false)

      const second = await state.read(key)
      assert.equal(String(second?.content), '2')
      assert.notEqual(second?.revision, first)
    })

    test('an entry that is gone is not replaced', async () => {
      const other = freshKey()
      await state.write(other, Buffer.from('1'), undefined)
      const revision = (await state.read(other))?.revision as Revision
      const key = freshKey()

      assert.equal(await state.write(key, Buffer.from('2'), revision), false)
      assert.equal(await state.read(key), undefined)
    })

    test('a write of any revision makes or replaces an entry', async () => {
      const key = freshKey()

      assert.equal(await state.write(key, Buffer.from('1'), 'any'), true)
      assert.equal(await state.write(key, Buffer.from('2'), 'any'), true)

      assert.equal(String((await state.read(key))?.content), '2')
    })

    test('of twelve writers who know the same revision one wins', async () => {
      const key = freshKey()
      await state.write(key, Buffer.from('start'), undefined)
      const revision = (await state.read(key))?.revision as Revision

      const results = await Promise.all(
        Array.from({ length: 12 }, (_, i) => state.write(key, Buffer.from(`writer ${i}`), revision)),
      )

      assert.equal(results.filter(Boolean).length, 1)
      assert.equal(String((await state.read(key))?.content), `writer ${results.indexOf(true)}`)
    })

    test('twelve writers who try again until they win lose no increment', async () => {
      const key = freshKey()
      await state.write(key, Buffer.from('0'), undefined)

      await Promise.all(
        Array.from({ length: 12 }, async () => {
          while (true) {
            const entry = await state.read(key)
            assert.ok(entry)
            const next = Buffer.from(String(Number(String(entry.content)) + 1))
            if (await state.write(key, next, entry.revision)) return
          }
        }),
      )

      assert.equal(String((await state.read(key))?.content), '12')
    })

    test('twelve writes of any revision at the same time all succeed', async () => {
      const key = freshKey()

      const results = await Promise.all(
        Array.from({ length: 12 }, (_, i) => state.write(key, Buffer.from(`writer ${i}`), 'any')),
      )

      assert.ok(results.every(Boolean))
      assert.match(String((await state.read(key))?.content), /^writer \d+$/)
    })
  })
}

const freshKey = () => `snapshots/m-${randomUUID()}.json` as ObjectKey
