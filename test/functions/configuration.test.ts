import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Configuration } from '../../functions/lambda/configuration.ts'
import { encodeApplied } from '../../shared/contract/applied.ts'
import { validateConfig } from '../../shared/contract/config.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import { openMemoryState } from '../../shared/state/memory.ts'

function applied(...ids: readonly string[]): Buffer {
  const { config, problems } = validateConfig({
    queues: { default: 'mail-events' },
    mailboxes: ids.map((id) => ({
      id,
      protocol: 'pop3',
      host: 'pop.example.com',
      user: id,
      credential: `ssm:/mailsluice/${id}`,
    })),
  })
  assert.ok(config, problems?.join('\n'))
  return Buffer.from(encodeApplied({ v: 1, config, authorities: {} }))
}

describe('the configuration of the functions', () => {
  test('is none until one is applied, and then the latest', async () => {
    const state = openMemoryState()
    const configuration = new Configuration(state)
    assert.equal(await configuration.current(), undefined)

    for (const ids of [['a'], ['a', 'b']]) {
      await state.write(MAILBOXES_KEY, applied(...ids), 'any')
      const current = await configuration.current()
      assert.deepEqual(
        current?.config.mailboxes.map(({ id }) => id),
        ids,
      )
    }
  })

  test('is read once as long as it is the same', async () => {
    const state = openMemoryState()
    await state.write(MAILBOXES_KEY, applied('a'), 'any')
    let reads = 0
    const configuration = new Configuration({
      ...state,
      read(key) {
        reads++
        return state.read(key)
      },
    })

    const first = await configuration.current()

    assert.equal(await configuration.current(), first)
    assert.equal(reads, 1)
  })

  test('that is damaged is a defect, and the next one counts', async () => {
    const state = openMemoryState()
    const configuration = new Configuration(state)
    await state.write(MAILBOXES_KEY, Buffer.from('{"v":1}'), 'any')
    await assert.rejects(configuration.current(), TypeError)

    await state.write(MAILBOXES_KEY, applied('a'), 'any')
    assert.equal((await configuration.current())?.config.mailboxes.length, 1)
  })
})
