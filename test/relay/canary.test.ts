import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Sha256 } from '../../shared/contract/ids.ts'
import { IngestError } from '../../shared/errors.ts'
import { RELAY } from '../../shared/limits.ts'
import type { MessageTrace } from '../../shared/operations/trace-message.ts'
import { canaryMessage } from '../../shared/relay/canary.ts'
import type { CanaryPorts, RelayEvent } from '../../shared/relay/ports.ts'
import { FastClock } from '../support/fast-clock.ts'
import { RelayWorld, watched } from '../support/relay-world.ts'
import { SimulatedMail } from '../support/simulated-mail.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A mailbox with a canary, whose drains take so long to archive and to announce. */
function open({ archivedMs = 800, announcedMs = 1500 } = {}) {
  const clock = new FastClock()
  const mail = new SimulatedMail(clock, ['INBOX', 'Canary'])
  const asked: string[] = []
  const config = watched({
    folders: ['INBOX', 'Canary'],
    canary: { folder: 'Canary', every: '15m' },
  })
  const settings = { archivedMs, announcedMs, archiveFails: false }
  let appendedMs = 0
  const canaries: CanaryPorts = {
    async open(mailbox) {
      if (mail.refuses) throw new IngestError(mail.refuses, 'refused')
      asked.push('open')
      return {
        async append(folder, octets) {
          asked.push(`append to ${folder}`)
          appendedMs = clock.nowMs()
          mail.deliver(mailbox.id, folder)
          return createHash('sha256').update(octets).digest('hex') as Sha256
        },
        async remove(folder) {
          asked.push(`remove from ${folder}`)
          mail.remove(mailbox.id, folder)
        },
        async close() {
          asked.push('close')
        },
      }
    },
    tracer: {
      begin: async () => async (): Promise<MessageTrace> => {
        if (settings.archiveFails) throw new IngestError('ARCHIVE_UNAVAILABLE', 'no answer')
        const afterMs = clock.nowMs() - appendedMs
        if (afterMs >= settings.announcedMs) return 'announced'
        return afterMs >= settings.archivedMs ? 'archived' : 'nowhere'
      },
    },
  }
  const world = new RelayWorld({ clock, mail, canaries })
  world.relay.apply([config])
  const sung = (): Extract<RelayEvent, { kind: 'canary' }>[] =>
    world.events.flatMap((event) => (event.kind === 'canary' ? [event] : []))
  return { world, clock, mail, asked, settings, sung, config }
}

describe('a canary', () => {
  test('is put into its folder every 15 minutes, timed on its way, and removed', async () => {
    const { clock, asked, sung } = open()

    await clock.pass(HOUR + MINUTE)

    assert.deepEqual(asked.slice(0, 4), ['open', 'append to Canary', 'remove from Canary', 'close'])
    assert.deepEqual(
      sung().map(({ times, error }) => ({ ...times, error })),
      new Array(4).fill({
        noticedMs: 0,
        requestedMs: 0,
        archivedMs: SECOND,
        announcedMs: 2 * SECOND,
        error: undefined,
      }),
    )
  })

  test('is one of the signs of health', async () => {
    const { world, clock } = open()

    await clock.pass(16 * MINUTE)

    assert.equal(world.relay.health()[0]?.canary?.announcedMs, 2 * SECOND)
  })

  test('that nobody noticed shows that IDLE does not tell, though its mail came through', async () => {
    const { clock, mail, sung, config } = open()
    mail.mute = true
    await clock.pass(15 * MINUTE + SECOND)
    mail.mute = false
    mail.deliver(config.id, 'INBOX')

    await clock.pass(MINUTE)

    const [{ times }] = sung() as [Extract<RelayEvent, { kind: 'canary' }>]
    assert.deepEqual([times.noticedMs, times.requestedMs], [undefined, undefined])
    assert.equal(times.announcedMs, 2 * SECOND)
  })

  test('that is archived and never announced is given up after five minutes, removed, and says how far it came', async () => {
    const { world, clock, asked, settings, sung } = open()
    settings.announcedMs = Infinity

    await clock.pass(20 * MINUTE - SECOND)
    assert.deepEqual(sung(), [])
    await clock.pass(SECOND)

    const [{ times }] = sung() as [Extract<RelayEvent, { kind: 'canary' }>]
    assert.equal(times.archivedMs, SECOND)
    assert.equal(times.announcedMs, undefined)
    assert.deepEqual(asked.slice(-2), ['remove from Canary', 'close'])
    assert.deepEqual(world.relay.health()[0]?.canary?.announcedMs, undefined)
  })

  test('whose archive does not answer says so', async () => {
    const { clock, settings, sung } = open()
    settings.archiveFails = true

    await clock.pass(21 * MINUTE)

    assert.equal(sung()[0]?.error?.code, 'ARCHIVE_UNAVAILABLE')
  })

  test('that cannot be put there because log-ins fail counts as a failed log-in', async () => {
    const { world, clock, mail, sung } = open()
    await clock.pass(MINUTE)
    mail.refuses = 'AUTHENTICATION_FAILED'

    await clock.pass(15 * MINUTE)

    assert.equal(sung()[0]?.error?.code, 'AUTHENTICATION_FAILED')
    assert.deepEqual(await world.announced(), ['mailsluice.mailbox.suspended.v1'])
  })

  test('that is on its way when the relay closes is removed, and counts for nothing', async () => {
    const { world, clock, asked, settings, sung } = open()
    settings.announcedMs = Infinity
    await clock.pass(16 * MINUTE)

    await world.close()

    assert.deepEqual(asked.slice(-2), ['remove from Canary', 'close'])
    assert.deepEqual(sung(), [])
    assert.equal(clock.pending, 0)
  })

  test('comes once a minute at most', async () => {
    const { world, clock, sung, config } = open()
    world.relay.apply([{ ...config, canary: { folder: 'Canary', every: '1s' } }])

    await clock.pass(10 * MINUTE)

    assert.ok(sung().length <= (10 * MINUTE) / RELAY.canaryEveryMs, `${sung().length}`)
  })

  test('does not come where nobody can look after it', async () => {
    const world = new RelayWorld({ folders: ['INBOX', 'Canary'] })
    world.relay.apply([watched({ folders: ['*'], canary: { folder: 'Canary' } })])

    await world.clock.pass(HOUR)

    assert.ok(!world.events.some(({ kind }) => kind === 'canary'))
  })

  test('is a message with a date, and a mark by which it is known', () => {
    const text = canaryMessage('some-id', new Date('2026-01-02T03:04:05Z')).toString()

    assert.match(text, /^Mailsluice-Canary: some-id\r$/m)
    assert.match(text, /^Date: Fri, 02 Jan 2026 03:04:05 \+0000\r$/m)
    assert.ok(!/[^\r]\n/.test(text))
  })
})
