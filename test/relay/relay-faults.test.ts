import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { RELAY } from '../../shared/limits.ts'
import { FastClock } from '../support/fast-clock.ts'
import { type FaultProxy, faultsOf, startFaultProxy } from '../support/fault-proxy.ts'
import { type IdleServer, startIdleServer } from '../support/idle-server.ts'
import { watched } from '../support/relay-world.ts'
import { HASTY, SocketRelay, type SocketRelayOptions } from '../support/socket-relay.ts'

// The relay over real sockets, through a proxy that does what networks do.

const MINUTE = 60_000

describe('a relay on a bad network', () => {
  const closing: (() => unknown)[] = []
  after(async () => {
    for (const close of closing.reverse()) await close()
  })

  async function world(options: SocketRelayOptions = {}): Promise<{
    server: IdleServer
    proxy: FaultProxy
    relay: SocketRelay
  }> {
    const server = await startIdleServer()
    const proxy = await startFaultProxy(server)
    const relay = new SocketRelay(() => proxy.port, { limits: HASTY, ...options })
    closing.push(
      () => server.close(),
      () => proxy.close(),
      () => relay.relay.close(),
    )
    return { server, proxy, relay }
  }

  test('asks for a drain after every message that came during twenty faults', async () => {
    const { server, proxy, relay } = await world()
    relay.apply([watched()])
    await server.whenIdling(1)
    await relay.until(() => relay.requests.length > 0)
    const faults = faultsOf(proxy)

    for (let number = 0; number < 20; number++) {
      const before = relay.requests.length
      faults[number % faults.length]?.()
      server.deliver('invoices')
      await new Promise((resolve) => setTimeout(resolve, 100))
      proxy.refuse(false)

      await relay.until(() => relay.requests.length > before)
      proxy.delay(0)
    }
  })

  test('notices a frozen connection with the next renewal: within four minutes and the deadline of an answer', async () => {
    const clock = new FastClock()
    const { server, proxy, relay } = await world({ clock, limits: RELAY })
    const answered = async (): Promise<void> => {
      do await new Promise((resolve) => setTimeout(resolve, 1))
      while (relay.inFlight > 0)
    }
    relay.apply([watched()])
    await clock.pass(0, answered)
    await server.whenIdling(1)
    await clock.pass(MINUTE, answered)

    proxy.freeze()
    server.deliver('invoices')
    const frozenMs = clock.nowMs()
    await clock.pass(RELAY.renewMs, answered)

    const [lost] = relay.events.filter(({ kind }) => kind === 'disconnected')
    assert.ok(lost?.kind === 'disconnected')
    assert.equal(lost.error.code, 'TIMED_OUT')
    const noticedMs = lost.at.getTime() - clock.date().getTime() + clock.nowMs() - frozenMs
    assert.ok(noticedMs <= RELAY.renewMs, `${noticedMs}`)
    await clock.pass(RELAY.reconnectMostMs, answered)
    assert.equal(relay.events.filter((event) => event.kind === 'news' && event.reason === 'gap').length, 1)
    // The server does not know of the first one's end any more than the relay did.
    await server.whenIdling(2)
  })

  test('lets a server that accepts and drops see no more log-ins than it says', async () => {
    const clock = new FastClock()
    const { server, relay } = await world({ clock, limits: RELAY })
    const answered = async (): Promise<void> => {
      do await new Promise((resolve) => setTimeout(resolve, 1))
      while (relay.inFlight > 0)
    }
    const logInsMs: number[] = []
    let seen = 0
    for (const misbehaviour of [
      { dropAfter: 'LOGIN' },
      { dropAfter: 'SELECT' },
      { dropOn: 'LIST "" "*"' },
      { refuseList: true },
    ] as const) {
      server.misbehave = misbehaviour
      relay.apply([watched({ id: `mailbox-${logInsMs.length}` })])

      await clock.pass(20 * MINUTE, async () => {
        await answered()
        for (; seen < server.logIns().length; seen++) logInsMs.push(clock.nowMs())
      })
    }

    // Up to 10, 20, 40 … 300 s, half of it by these dice; and one hang-up that is noticed late.
    for (const from of logInsMs) {
      const within = logInsMs.filter((at) => at >= from && at < from + MINUTE).length
      assert.ok(within <= 5, `${within} in the minute from ${from}`)
    }
    assert.ok(logInsMs.length > 20 && logInsMs.length < 60, `${logInsMs.length}`)
    await server.whenIdling(0)
    assert.ok(server.connections() <= 1, `${server.connections()} connections`)
  })

  test('signs out of every folder when it is closed, though one of two servers is frozen', async () => {
    const { server, proxy, relay } = await world()
    const { server: other, relay: otherRelay } = await world()
    relay.apply([watched()])
    otherRelay.apply([watched()])
    await server.whenIdling(1)
    await other.whenIdling(1)
    proxy.freeze()

    await Promise.all([relay.relay.close(), otherRelay.relay.close()])

    assert.equal(other.commands.at(-1), 'LOGOUT')
    assert.notEqual(server.commands.at(-1), 'LOGOUT')
  })
})
