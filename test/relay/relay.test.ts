import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RELAY } from '../../shared/limits.ts'
import { RelayWorld, watched } from '../support/relay-world.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

describe('a watched mailbox', () => {
  test('is drained once when the relay begins: nobody knows what came before', async () => {
    const world = new RelayWorld()
    const { id } = watched()
    world.mail.deliver(id)

    world.relay.apply([watched()])
    await world.clock.pass(MINUTE)

    assert.deepEqual(world.requests, [{ mailbox: id, reason: 'first-look', atMs: 0 }])
    assert.equal(world.mail.connections(id).length, 1)
  })

  test('is drained at once when something arrives', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()

    world.mail.deliver(id)
    await world.clock.pass(0)

    assert.deepEqual(world.requests, [{ mailbox: id, reason: 'arrival', atMs: world.clock.nowMs() }])
  })

  test('is not drained when something leaves', async () => {
    const world = new RelayWorld()
    const { id } = watched()
    world.mail.deliver(id, 'INBOX', 5)
    await world.watch()

    world.mail.remove(id)
    await world.clock.pass(HOUR)

    assert.deepEqual(world.requests, [])
  })

  test('makes a handful of requests for a burst of a thousand, the last after the last arrival', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()

    let lastMs = 0
    for (let number = 0; number < 1000; number++) {
      world.mail.deliver(id)
      lastMs = world.clock.nowMs()
      await world.clock.pass(7)
    }
    await world.clock.pass(HOUR)

    assert.ok(world.requests.length <= 6, `${world.requests.length}`)
    assert.ok((world.requests.at(-1)?.atMs ?? 0) > lastMs)
  })

  test('proves every four minutes that the server is there, and begins IDLE anew', async () => {
    const world = new RelayWorld()
    await world.watch()
    world.mail.asked.length = 0

    await world.clock.pass(13 * MINUTE)

    assert.deepEqual(world.mail.asked, ['NOOP', 'IDLE', 'NOOP', 'IDLE', 'NOOP', 'IDLE'])
    assert.deepEqual(world.requests, [])
  })

  test('renews IDLE before its provider ends it, and never later than every four minutes', async () => {
    for (const [provider, renewals] of [
      [2, 6],
      [9, 3],
    ] as const) {
      const world = new RelayWorld({ limitsOf: () => ({ renewMs: provider * MINUTE }) })
      await world.watch()
      world.mail.asked.length = 0

      await world.clock.pass(13 * MINUTE)

      assert.equal(world.mail.asked.filter((command) => command === 'IDLE').length, renewals)
    }
  })

  test('is found silent within four minutes and the deadline of an answer, connected anew, and nothing is missed', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()
    world.mail.freeze()
    world.mail.deliver(id)
    await world.clock.pass(RELAY.renewMs - 20 * SECOND)
    assert.deepEqual(world.reasons(), [])

    await world.clock.pass(20 * SECOND + RELAY.reconnectMostMs)

    assert.deepEqual(world.reasons(), ['gap'])
    const [lost] = world.events.filter(({ kind }) => kind === 'disconnected')
    assert.ok(lost && lost.at.getTime() - world.clock.date().getTime() <= RELAY.renewMs)
    assert.equal(world.mail.connections(id)[0]?.frozen, false)
  })

  test('is drained for what came while its connection was away', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()
    await world.clock.pass(HOUR)

    world.mail.drop()
    world.mail.deliver(id)
    await world.clock.pass(RELAY.reconnectMs)

    assert.deepEqual(world.reasons(), ['gap'])
  })

  test('is not drained after a lost connection when nothing came', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()
    world.mail.deliver(id)
    await world.clock.pass(MINUTE)
    assert.deepEqual(world.reasons(), ['arrival'])

    world.mail.drop()
    await world.clock.pass(10 * MINUTE)

    assert.equal(world.mail.connections(id).length, 1)
    assert.deepEqual(world.reasons(), ['arrival'])
  })

  test('is drained for what came and went while its connection was away', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()

    world.mail.drop()
    world.mail.deliver(id)
    world.mail.remove(id)
    await world.clock.pass(10 * MINUTE)

    assert.deepEqual(world.reasons(), ['gap'])
  })

  test('is drained when its folder was made anew', async () => {
    const world = new RelayWorld()
    const { id } = watched()
    world.mail.deliver(id, 'INBOX', 5)
    await world.watch()

    world.mail.recreate(id)
    await world.clock.pass(20 * MINUTE)

    assert.deepEqual(world.reasons(), ['check'])
  })

  test('is looked at every 15 minutes: a server that tells nothing while IDLE lasts is found out', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()
    world.mail.mute = true

    world.mail.deliver(id)
    await world.clock.pass(RELAY.checkMs)

    assert.deepEqual(world.reasons(), ['check'])
    await world.clock.pass(HOUR)
    assert.deepEqual(world.reasons(), ['check'])
  })

  test('is looked at every 15 minutes, by chance a fifth earlier or later', async () => {
    for (const [chance, minutes] of [
      [0, 12],
      [1, 18],
    ] as const) {
      const world = new RelayWorld()
      world.chance = chance
      const { id } = await world.watch()
      world.mail.mute = true
      world.mail.deliver(id)

      await world.clock.pass(minutes * MINUTE - 15 * SECOND)
      assert.deepEqual(world.reasons(), [], `${chance}`)
      await world.clock.pass(15 * SECOND)
      assert.deepEqual(world.reasons(), ['check'], `${chance}`)
    }
  })

  test('is drained for other numbers of messages where the server tells no UIDNEXT', async () => {
    const world = new RelayWorld()
    world.mail.tellsUidNext = false
    const { id } = watched()
    world.mail.deliver(id, 'INBOX', 5)
    await world.watch()
    world.mail.remove(id)
    world.mail.remove(id)

    world.mail.drop()
    world.mail.deliver(id, 'INBOX', 2)
    await world.clock.pass(10 * MINUTE)
    assert.deepEqual(world.reasons(), ['gap'])

    world.mail.drop()
    for (let number = 0; number < 3; number++) world.mail.remove(id)
    world.mail.deliver(id)
    await world.clock.pass(10 * MINUTE)
    assert.deepEqual(world.reasons(), ['gap', 'gap'])
  })

  test('on a server without IDLE is asked after at its own interval, over one connection', async () => {
    const world = new RelayWorld()
    world.mail.canIdle = false
    const { id } = await world.watch({ every: '10m' })
    world.mail.asked.length = 0

    world.mail.deliver(id)
    await world.clock.pass(10 * MINUTE)

    assert.deepEqual(world.reasons(), ['check'])
    assert.ok(!world.mail.asked.includes('IDLE'))
    assert.equal(world.mail.logIns.get(id)?.length, 1)
    assert.equal(world.relay.health()[0]?.state, 'polling')
  })

  test('goes on when the server ends IDLE by itself, without asking for it at once', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()
    world.mail.asked.length = 0
    for (let second = 0; second < 60; second++) {
      world.mail.endIdle()
      await world.clock.pass(SECOND)
    }
    const begun = world.mail.asked.filter((command) => command === 'IDLE').length
    assert.ok(begun >= 10 && begun <= 13, `${begun}`)

    await world.clock.pass(RELAY.reconnectLeastMs)
    world.mail.deliver(id)
    await world.clock.pass(0)

    assert.deepEqual(world.reasons(), ['arrival'])
    assert.equal(world.mail.logIns.get(id)?.length, 1)
  })

  test('whose server accepts and drops sees at most 12 log-ins a minute, and some fifty in two hours', async () => {
    for (const chance of [0, 0.5]) {
      const world = new RelayWorld()
      world.chance = chance
      world.mail.drops = true
      const { id } = watched()
      world.relay.apply([watched()])

      await world.clock.pass(2 * HOUR)

      const logIns = world.mail.logIns.get(id) ?? []
      for (const from of logIns)
        assert.ok(logIns.filter((at) => at >= from && at < from + MINUTE).length <= 12)
      if (chance === 0.5) assert.ok(logIns.length <= 55, `${logIns.length}`)
    }
  })

  test('leaves an OAuth session before the server does, with a new log-in at once, and misses nothing', async () => {
    const world = new RelayWorld()
    world.mail.sessionMs = HOUR
    const { id } = await world.watch()
    world.mail.asked.length = 0

    await world.clock.pass(55 * MINUTE)
    assert.equal(world.mail.logIns.get(id)?.length, 1)
    await world.clock.pass(4 * MINUTE)

    assert.equal(world.mail.logIns.get(id)?.length, 2)
    assert.equal(world.mail.asked.filter((command) => command === 'LOGOUT').length, 1)
    assert.ok(!world.events.some(({ kind }) => kind === 'disconnected'))
    world.mail.deliver(id)
    await world.clock.pass(0)
    assert.deepEqual(world.reasons(), ['arrival'])
    await world.clock.pass(24 * HOUR)
    assert.ok((world.mail.logIns.get(id)?.length ?? 0) <= 2 + 24 / 0.9)
  })

  test('whose tokens end as soon as they are given sees no more log-ins than others', async () => {
    const world = new RelayWorld()
    world.mail.sessionMs = 0
    const { id } = watched()
    world.relay.apply([watched()])

    await world.clock.pass(2 * HOUR)

    const logIns = world.mail.logIns.get(id) ?? []
    assert.ok(logIns.length > 10 && logIns.length <= 55, `${logIns.length}`)
  })
})

describe('folders', () => {
  test('have a connection each, and each tells of its own mail', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Work', 'Work/Bills', 'Trash'] })
    const { id } = await world.watch({ folders: ['INBOX', 'Work*'] })
    assert.deepEqual(
      world.mail.connections(id).map(({ folder }) => folder),
      ['INBOX', 'Work', 'Work/Bills'],
    )

    for (const folder of ['Work/Bills', 'INBOX', 'Trash']) {
      world.mail.deliver(id, folder)
      await world.clock.pass(10 * SECOND)
    }

    const told = world.events.flatMap((event) => (event.kind === 'news' ? [event.folder] : []))
    assert.deepEqual(told, ['Work/Bills', 'INBOX'])
  })

  test('sign in one after the other', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'A', 'B', 'C', 'D'] })
    world.mail.logInMs = SECOND

    await world.watch({ folders: ['*'] })

    assert.equal(world.mail.connections().length, 5)
    assert.equal(world.mail.mostLoggingIn, 1)
  })

  test('beyond the connections of the provider are asked after at the interval of the mailbox', async () => {
    const world = new RelayWorld({
      folders: ['INBOX', 'A', 'B', 'C'],
      limitsOf: () => ({ connections: 2 }),
    })
    const { id } = await world.watch({ folders: ['*'], every: '5m' })
    assert.equal(world.mail.connections(id).length, 2)

    world.mail.deliver(id, 'C')
    await world.clock.pass(5 * MINUTE)

    assert.deepEqual(world.reasons(), ['check'])
    assert.equal(world.mail.connections(id).length, 2)
  })

  test('that were made later are found by the second clock, and those that are gone are left', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Old'] })
    // The one that leads looks first.
    world.chance = 0
    world.relay.apply([watched({ folders: ['*'] })])
    await world.clock.pass(RELAY.logInGapMs - 1)
    world.chance = 1
    const { id } = await world.watch({ folders: ['*'] })

    world.mail.names.splice(world.mail.names.indexOf('Old'), 1)
    world.mail.names.push('New')
    await world.clock.pass(13 * MINUTE)

    assert.deepEqual(
      world.mail.connections(id).map(({ folder }) => folder),
      ['INBOX', 'New'],
    )
    assert.ok(!world.events.some(({ kind }) => kind === 'disconnected'))
    assert.deepEqual(world.reasons(), ['first-look'])
    world.mail.deliver(id, 'New')
    await world.clock.pass(0)
    assert.deepEqual(world.reasons(), ['first-look', 'arrival'])
  })

  test('that come back are looked at like new ones', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Old'] })
    await world.watch({ folders: ['*'] })
    world.mail.names.pop()
    await world.clock.pass(HOUR)

    world.mail.names.push('Old')
    await world.clock.pass(HOUR)

    assert.deepEqual(world.reasons(), ['first-look'])
  })

  test('that are gone do not suspend the mailbox', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Old'] })
    const { id } = await world.watch({ folders: ['*'] })

    world.mail.names.splice(world.mail.names.indexOf('Old'), 1)
    world.mail.drop(id)
    await world.clock.pass(HOUR)

    assert.deepEqual(await world.announced(), [])
    assert.deepEqual(
      world.mail.connections(id).map(({ folder }) => folder),
      ['INBOX'],
    )
  })

  test('of which none is there yet leave one connection that looks for them', async () => {
    const world = new RelayWorld({ folders: ['INBOX'] })
    const { id } = await world.watch({ folders: ['Bills*'], every: '5m' })
    assert.equal(world.mail.connections(id).length, 1)

    world.mail.names.push('Bills')
    await world.clock.pass(10 * MINUTE)

    assert.deepEqual(
      world.mail.connections(id).map(({ folder }) => folder),
      ['Bills'],
    )
  })

  test('whose connection cannot be made again are asked after by the one that leads', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Work'] })
    const { id } = await world.watch({ folders: ['*'] })
    world.mail.drop(id, 'Work')
    world.mail.refuses = 'THROTTLED'

    world.mail.deliver(id, 'Work')
    await world.clock.pass(RELAY.checkMs)

    assert.deepEqual(world.reasons(), ['check'])
  })
})

describe('log-ins that fail', () => {
  test('suspend the mailbox after one try, with pauses that grow, and say so once', async () => {
    const world = new RelayWorld()
    world.mail.refuses = 'AUTHENTICATION_FAILED'
    const { id } = watched()
    world.relay.apply([watched()])

    await world.clock.pass(HOUR)

    const minutes = (world.mail.logIns.get(id) ?? []).map((atMs) => Math.floor(atMs / MINUTE))
    assert.deepEqual(minutes, [0, 5, 15, 35])
    assert.deepEqual(await world.announced(), ['mailsluice.mailbox.suspended.v1'])
    assert.deepEqual(
      world.events.map(({ kind }) => kind),
      new Array(4).fill('suspended'),
    )
    const [health] = world.relay.health()
    assert.equal(health?.state, 'suspended')
    assert.equal(health?.suspended?.code, 'AUTHENTICATION_FAILED')
    assert.equal(health?.suspended?.nextTryAt, '2026-01-01T01:15:00.000Z')
  })

  test('of one folder of six count for all of them', async () => {
    const world = new RelayWorld({ folders: ['1', '2', '3', '4', '5', '6'] })
    const { id } = await world.watch({ folders: ['*'] })
    world.mail.logInMs = SECOND
    assert.equal(world.mail.connections(id).length, 6)
    const before = world.mail.logIns.get(id)?.length ?? 0

    world.mail.refuses = 'AUTHENTICATION_FAILED'
    world.mail.drop()
    await world.clock.pass(HOUR)

    const failed = (world.mail.logIns.get(id)?.length ?? 0) - before
    assert.ok(failed <= 4, `${failed}`)
  })

  test('are over by themselves, announced, and what came meanwhile is drained', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()
    world.mail.refuses = 'AUTHENTICATION_FAILED'
    world.mail.drop()
    await world.clock.pass(10 * MINUTE)
    world.mail.deliver(id)

    world.mail.refuses = undefined
    await world.clock.pass(10 * MINUTE)

    assert.deepEqual(await world.announced(), [
      'mailsluice.mailbox.suspended.v1',
      'mailsluice.mailbox.resumed.v1',
    ])
    assert.deepEqual(world.reasons(), ['gap'])
    assert.equal(world.relay.health()[0]?.state, 'watching')
  })

  test('are tried again within a minute after the secret was changed', async () => {
    const world = new RelayWorld()
    world.mail.refuses = 'AUTHENTICATION_FAILED'
    const { id } = watched()
    world.relay.apply([watched()])
    await world.clock.pass(2 * HOUR)
    const before = world.mail.logIns.get(id)?.length

    world.mail.refuses = undefined
    world.version = '2'
    await world.clock.pass(RELAY.credentialCheckMs)

    assert.equal(world.mail.logIns.get(id)?.length, (before ?? 0) + 1)
    assert.equal(world.relay.health()[0]?.state, 'watching')
  })

  test('because the server is throttled or away suspend nothing', async () => {
    for (const code of ['THROTTLED', 'CONNECTION_FAILED', 'SERVER_UNAVAILABLE'] as const) {
      const world = new RelayWorld()
      world.mail.refuses = code
      world.relay.apply([watched()])

      await world.clock.pass(HOUR)

      assert.deepEqual(await world.announced(), [], code)
      assert.equal(world.relay.health()[0]?.state, 'reconnecting')
    }
  })

  test('leave connections alone that still stand', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Work'] })
    const { id } = await world.watch({ folders: ['*'] })
    world.mail.refuses = 'AUTHENTICATION_FAILED'
    world.mail.drop(id, 'Work')
    await world.clock.pass(10 * MINUTE)

    world.mail.deliver(id, 'INBOX')
    await world.clock.pass(0)

    assert.deepEqual(world.reasons(), ['arrival'])
  })
})

describe('a mailbox that is not watched', () => {
  for (const settings of [{ protocol: 'pop3', idle: false }, { idle: false }])
    test(`is probed at its interval and drained when something is due: ${JSON.stringify(settings)}`, async () => {
      const world = new RelayWorld()
      const { id } = watched({ ...settings, every: '10m' })
      world.relay.apply([watched({ ...settings, every: '10m' })])
      await world.clock.pass(HOUR - 1)
      assert.equal(world.probes.length, 6)
      assert.deepEqual(world.requests, [])

      world.due.add(id)
      await world.clock.pass(10 * MINUTE)

      assert.deepEqual(world.reasons(), ['poll'])
      assert.equal(world.mail.connections().length, 0)
    })

  test('is probed again soon when its server was away, also when its interval is a day', async () => {
    const world = new RelayWorld()
    world.mail.refuses = 'CONNECTION_FAILED'
    world.relay.apply([watched({ protocol: 'pop3', idle: false, every: '1d' })])

    await world.clock.pass(HOUR)
    assert.ok(world.probes.length > 10, `${world.probes.length}`)
    world.mail.refuses = undefined
    await world.clock.pass(HOUR)

    assert.equal(world.relay.health()[0]?.state, 'polling')
  })

  test('is suspended like others', async () => {
    const world = new RelayWorld()
    world.mail.refuses = 'AUTHENTICATION_FAILED'
    world.relay.apply([watched({ protocol: 'pop3', idle: false, every: '1m' })])

    await world.clock.pass(HOUR)
    assert.equal(world.probes.length, 4)
    world.mail.refuses = undefined
    await world.clock.pass(HOUR)

    assert.deepEqual(await world.announced(), [
      'mailsluice.mailbox.suspended.v1',
      'mailsluice.mailbox.resumed.v1',
    ])
    assert.equal(world.relay.health()[0]?.state, 'polling')
  })
})

describe('the list of mailboxes', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => watched({ id })) as [
    ReturnType<typeof watched>,
    ReturnType<typeof watched>,
    ReturnType<typeof watched>,
  ]

  test('may change: what is new is watched, what is gone is left with LOGOUT, what is the same is not touched', async () => {
    const world = new RelayWorld()
    world.relay.apply([a, b])
    await world.clock.pass(MINUTE)

    world.relay.apply([b, c])
    await world.clock.pass(MINUTE)

    assert.deepEqual(
      world.mail.connections().map(({ mailbox }) => mailbox),
      ['b', 'c'],
    )
    assert.equal(world.mail.asked.filter((command) => command === 'LOGOUT').length, 1)
    assert.equal(world.mail.logIns.get(b.id)?.length, 1)
    assert.deepEqual(
      world.relay.health().map(({ mailbox }) => mailbox),
      ['b', 'c'],
    )
  })

  test('takes up a mailbox anew whose settings have changed', async () => {
    const world = new RelayWorld()
    world.relay.apply([a])
    await world.clock.pass(MINUTE)

    world.relay.apply([watched({ id: 'a', user: 'other' })])
    await world.clock.pass(MINUTE)

    assert.equal(world.mail.connections(a.id).length, 1)
    assert.equal(world.mail.logIns.get(a.id)?.length, 2)
  })

  test('leaves the connections of the settings before, and then makes those of the new ones: providers count them', async () => {
    const world = new RelayWorld()
    world.mail.logOutMs = 3 * SECOND
    world.relay.apply([a])
    await world.clock.pass(MINUTE)

    for (const user of ['second', 'third', 'fourth']) world.relay.apply([watched({ id: 'a', user })])
    await world.clock.pass(2 * SECOND)
    assert.equal(world.mail.logIns.get(a.id)?.length, 1)
    await world.clock.pass(2 * SECOND)

    assert.equal(world.mail.logIns.get(a.id)?.length, 2)
    assert.equal(world.mail.connections(a.id).length, 1)
    world.relay.apply([])
    world.relay.apply([a])
    await world.clock.pass(2 * SECOND)
    assert.equal(world.mail.logIns.get(a.id)?.length, 2)
    await world.clock.pass(2 * SECOND)
    assert.equal(world.mail.logIns.get(a.id)?.length, 3)
  })

  test('forgets a mailbox that waits for its pause', async () => {
    const world = new RelayWorld()
    world.mail.refuses = 'AUTHENTICATION_FAILED'
    world.relay.apply([a])
    await world.clock.pass(MINUTE)

    world.relay.apply([])
    await world.clock.pass(24 * HOUR)

    assert.equal(world.mail.logIns.get(a.id)?.length, 1)
    assert.equal(world.clock.pending, 0)
  })
})

describe('a relay that is closed', () => {
  test('signs out everywhere, and makes the request that waited', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Work'] })
    const { id } = await world.watch({ folders: ['*'] })
    world.mail.asked.length = 0
    world.mail.deliver(id)
    await world.clock.pass(0)
    world.mail.deliver(id)
    assert.equal(world.requests.length, 1)

    await world.close()

    assert.deepEqual(world.mail.asked, ['LOGOUT', 'LOGOUT'])
    assert.equal(world.requests.length, 2)
    assert.equal(world.mail.connections().length, 0)
    assert.equal(world.clock.pending, 0)
  })

  test('is not kept by mailboxes that are suspended, wait to connect, or by a queue that refuses', async () => {
    const world = new RelayWorld()
    world.requestsRefused = true
    world.relay.apply([watched({ id: 'watched' }), watched({ id: 'polled', protocol: 'pop3', idle: false })])
    await world.clock.pass(MINUTE)
    world.mail.refuses = 'AUTHENTICATION_FAILED'
    world.relay.apply([watched({ id: 'watched' }), watched({ id: 'suspended' })])
    await world.clock.pass(MINUTE)
    world.mail.refuses = 'CONNECTION_FAILED'
    world.relay.apply([watched({ id: 'watched' }), watched({ id: 'suspended' }), watched({ id: 'away' })])
    await world.clock.pass(MINUTE)

    const from = world.clock.nowMs()
    let closedMs = Infinity
    void world.relay.close().then(() => {
      closedMs = world.clock.nowMs()
    })
    await world.clock.pass(MINUTE)

    assert.ok(closedMs - from < SECOND, `${closedMs - from}`)
    assert.equal(world.clock.pending, 0)
  })

  test('drops within ten seconds what does not answer', async () => {
    const world = new RelayWorld()
    await world.watch()
    world.mail.stuck = true

    const from = world.clock.nowMs()
    let closedMs = Infinity
    void world.relay.close().then(() => {
      closedMs = world.clock.nowMs()
    })
    await world.clock.pass(MINUTE)

    assert.ok(closedMs - from <= 10 * SECOND, `${closedMs - from}`)
    assert.equal(world.mail.connections().length, 0)
  })

  test('lets nobody in who waited for a log-in', async () => {
    const world = new RelayWorld()
    world.mail.logInMs = 5 * SECOND
    world.relay.apply(Array.from({ length: 20 }, (_, number) => watched({ id: `${number}` })))
    await world.clock.pass(SECOND)
    assert.equal(world.mail.logIns.size, RELAY.logInsAtOncePerHost)

    await world.close()
    await world.clock.pass(HOUR)

    assert.equal(world.mail.logIns.size, RELAY.logInsAtOncePerHost)
    assert.equal(world.mail.connections().length, 0)
    assert.equal(world.clock.pending, 0)
  })

  test('does not swallow a defect', async () => {
    const world = new RelayWorld()
    world.mail.open = () => Promise.reject(new TypeError('a defect'))

    world.relay.apply([watched()])
    const failed = assert.rejects(world.relay.failed, TypeError)
    await world.clock.pass(0)

    await failed
  })
})

describe('the health of a mailbox', () => {
  test('is the last time that the server showed that it is there', async () => {
    const world = new RelayWorld()
    const { id } = await world.watch()
    await world.clock.pass(2 * MINUTE)
    world.mail.deliver(id)
    await world.clock.pass(30 * SECOND)

    assert.deepEqual(world.relay.health(), [
      {
        mailbox: id,
        state: 'watching',
        provenAgoMs: 30 * SECOND,
        provenAt: '2026-01-01T00:02:10.000Z',
        overdue: false,
        folders: [{ folder: 'INBOX', state: 'watching', provenAgoMs: 30 * SECOND }],
        canary: undefined,
        suspended: undefined,
      },
    ])
  })

  test('outlives the connection, and says that there is none', async () => {
    const world = new RelayWorld()
    await world.watch()
    world.mail.refuses = 'CONNECTION_FAILED'
    world.mail.drop()
    await world.clock.pass(HOUR)

    const [health] = world.relay.health()
    assert.equal(health?.state, 'reconnecting')
    assert.equal(health?.provenAgoMs, undefined)
    assert.equal(health?.provenAt, '2026-01-01T00:00:00.000Z')
  })

  test('is that of its worst folder', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Work'] })
    const { id } = await world.watch({ folders: ['*'] })
    world.mail.refuses = 'CONNECTION_FAILED'
    world.mail.drop(id, 'Work')
    await world.clock.pass(MINUTE)

    assert.equal(world.relay.health()[0]?.state, 'reconnecting')
  })

  test('is overdue when a watch claims to be alive and nothing has proven it', async () => {
    const world = new RelayWorld()
    await world.watch()
    // The relay asks, and its question never comes back: no deadline of the adapter, no answer, no loss.
    world.mail.stuck = true

    await world.clock.pass(RELAY.renewMs + 2 * RELAY.replyMs - 10 * SECOND)
    assert.equal(world.relay.health()[0]?.overdue, false)
    await world.clock.pass(20 * SECOND)

    assert.equal(world.relay.health()[0]?.overdue, true)
  })
})
