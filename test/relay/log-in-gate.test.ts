import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RELAY } from '../../shared/limits.ts'
import { LogInGate } from '../../shared/relay/log-in-gate.ts'
import type { RelayLimits } from '../../shared/relay/ports.ts'
import { FastClock, settle } from '../support/fast-clock.ts'

/** Log-ins that last for ever unless they are ended; who has entered, in the order. */
function open(limits: Partial<RelayLimits> = {}) {
  const clock = new FastClock()
  const gate = new LogInGate({ ...RELAY, ...limits }, clock)
  const entered: { readonly who: string; readonly atMs: number; readonly leave: () => void }[] = []
  const refused: string[] = []
  return {
    clock,
    gate,
    entered,
    refused,
    come(host: string, who = host): void {
      void gate.enter(host).then((leave) => {
        if (leave) entered.push({ who, atMs: clock.nowMs(), leave })
        else refused.push(who)
      })
    },
  }
}

describe('the gate of all log-ins', () => {
  test('lets no more than four be under way to one host, and the next in when one is over', async () => {
    const { clock, entered, come } = open()
    for (let number = 0; number < 10; number++) come('a.example', `${number}`)

    await clock.pass(60_000)
    assert.deepEqual(
      entered.map(({ who }) => who),
      ['0', '1', '2', '3'],
    )
    entered[2]?.leave()
    await clock.pass(60_000)

    assert.equal(entered.at(-1)?.who, '4')
    assert.equal(entered.length, 5)
  })

  test('lets no more than sixteen be under way in all, and hosts take turns', async () => {
    const { clock, entered, come } = open()
    for (let number = 0; number < 10; number++)
      for (const host of ['a', 'b', 'c', 'd', 'e', 'f']) come(`${host}.example`, host)

    await clock.pass(60_000)

    assert.equal(entered.length, 16)
    assert.equal(new Set(entered.map(({ who }) => who)).size, 6)
    for (const { leave } of entered.splice(0, 2)) leave()
    await clock.pass(60_000)
    assert.equal(entered.length, 16)
  })

  test('lets five hosts in alike, though four could keep all places', async () => {
    const { clock, entered, come } = open({ logInGapMs: 0 })
    const hosts = ['a', 'b', 'c', 'd', 'e']
    for (const host of hosts) for (let number = 0; number < 100; number++) come(`${host}.example`, host)

    for (let over = 0; over < 84; over++) {
      await clock.pass(1)
      entered[over]?.leave()
    }
    await clock.pass(1)

    for (const host of hosts) {
      const count = entered.filter(({ who }) => who === host).length
      assert.ok(Math.abs(count - 20) <= 4, `${host}: ${count}`)
    }
  })

  test('lets one host see five a second at most, though each is over at once', async () => {
    const { clock, entered, come } = open()
    for (let number = 0; number < 100; number++) come('a.example')

    await clock.pass(60_000, async () => {
      await settle()
      for (const { leave } of entered.slice(-1)) leave()
      await settle()
    })

    assert.equal(entered.length, 100)
    const gaps = entered.slice(1).map(({ atMs }, index) => atMs - (entered[index]?.atMs ?? 0))
    assert.ok(Math.min(...gaps) >= RELAY.logInGapMs, gaps.join(' '))
  })

  test('holds who comes late to the gap, too', async () => {
    const { clock, entered, come } = open()
    come('a.example')
    await clock.pass(RELAY.logInGapMs - 50)
    come('a.example')
    await settle()
    assert.equal(entered.length, 1)

    await clock.pass(50)

    assert.equal(entered.length, 2)
  })

  test('a host that stands still does not keep others out', async () => {
    const { clock, entered, come } = open()
    for (let number = 0; number < 10; number++) come('stuck.example')
    await clock.pass(60_000)

    come('b.example')
    await settle()

    assert.equal(entered.at(-1)?.who, 'b.example')
  })

  test('lets nobody in after it was closed, and nobody wait', async () => {
    const { clock, gate, entered, refused, come } = open()
    for (let number = 0; number < 10; number++) come('a.example', `${number}`)
    await clock.pass(60_000)

    gate.close()
    come('a.example', 'late')
    await settle()

    assert.equal(entered.length, 4)
    assert.deepEqual(refused.toSorted(), ['4', '5', '6', '7', '8', '9', 'late'])
  })

  test('remembers no host that nobody comes to any more', async () => {
    const { clock, gate, entered, come } = open()
    for (let number = 0; number < 1000; number++) {
      come(`${number}.example`)
      await settle()
      entered.at(-1)?.leave()
    }
    assert.equal(gate.hosts, 1000)

    await clock.pass(RELAY.logInGapMs)

    assert.equal(gate.hosts, 0)
  })
})
