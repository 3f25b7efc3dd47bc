import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { begunAhead } from '../shared/lanes.ts'

describe('sequences that are begun ahead', () => {
  const log: string[] = []
  async function* letters(name: string): AsyncGenerator<string> {
    log.push(`begin ${name}`)
    try {
      if (name === 'broken') throw new Error('broken')
      yield `${name}1`
      yield `${name}2`
    } finally {
      log.push(`end ${name}`)
    }
  }

  test('come in order and whole, the first of each asked for before its turn', async () => {
    log.length = 0
    const taken: string[] = []
    for await (const [name, sequence] of begunAhead(['a', 'b', 'c', 'd'], 2, letters)) {
      if (name === 'a') assert.deepEqual(log, ['begin a', 'begin b'])
      for await (const value of sequence) taken.push(value)
    }

    assert.deepEqual(taken, ['a1', 'a2', 'b1', 'b2', 'c1', 'c2', 'd1', 'd2'])
    assert.equal(log.filter((line) => line.startsWith('end')).length, 4)
  })

  test('that fail are met when their turn comes, and the others go on', async () => {
    const taken: string[] = []
    for await (const [name, sequence] of begunAhead(['a', 'broken', 'c'], 3, letters)) {
      const whole = Array.fromAsync(sequence)
      if (name === 'broken') await assert.rejects(whole, /broken/)
      else taken.push(...(await whole))
    }

    assert.deepEqual(taken, ['a1', 'a2', 'c1', 'c2'])
  })

  test('are closed when nobody takes them any more', async () => {
    log.length = 0
    for await (const [, sequence] of begunAhead(['a', 'b', 'c', 'd'], 3, letters)) {
      for await (const _ of sequence) break
      break
    }

    assert.deepEqual(log.toSorted(), ['begin a', 'begin b', 'begin c', 'end a', 'end b', 'end c'])
  })
})
