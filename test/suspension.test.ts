import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MailboxConfig } from '../shared/contract/config.ts'
import { type Event, eventSchema } from '../shared/contract/event.ts'
import { suspensionKey } from '../shared/contract/object-key.ts'
import { ERROR_CODES, type ErrorCode, IngestError } from '../shared/errors.ts'
import { suspends } from '../shared/failed-log-ins.ts'
import { openMemoryQueues } from '../shared/queue/memory.ts'
import type { EventQueues } from '../shared/queue/queue.ts'
import { openMemoryState } from '../shared/state/memory.ts'
import { openSuspensions, readSuspension, type SuspensionPorts } from '../shared/suspension.ts'
import { mailboxConfig, QUEUES } from './support/drain-world.ts'

const MINUTE = 60_000
const refused = new IngestError('AUTHENTICATION_FAILED', 'imap.example.com (u): sign-in: wrong password')

/** One mailbox, a clock that is set by hand, and no jitter. */
class World {
  readonly state = openMemoryState()
  readonly queues: EventQueues = openMemoryQueues({ queues: QUEUES })
  readonly mailbox: MailboxConfig = mailboxConfig({})
  version: string | undefined = '1'
  minutes = 0

  open(changes: Partial<SuspensionPorts> = {}) {
    return openSuspensions({
      state: this.state,
      queues: this.queues,
      credentials: { version: async () => this.version },
      now: () => new Date(this.minutes * MINUTE),
      random: () => 0,
      ...changes,
    })
  }

  read() {
    return readSuspension(this.mailbox.id, this.state)
  }

  async events(): Promise<Event[]> {
    const received = await this.queues.receive('default', { waitSeconds: 0, visibilitySeconds: 30 })
    await Promise.all(received.map(({ remove }) => remove()))
    return received.map(({ body }) => eventSchema.parse(JSON.parse(body)))
  }
}

describe('a mailbox that cannot be entered', () => {
  test('is suspended with pauses that double from 5 minutes to 4 hours, and no more than four log-ins fail in an hour', async () => {
    const world = new World()
    const suspensions = world.open()
    const failures: number[] = []

    for (; world.minutes < 24 * 60; world.minutes++) {
      const { admitted } = await suspensions.admit(world.mailbox)
      if (!admitted) continue
      failures.push(world.minutes)
      await suspensions.failed(world.mailbox, refused)
    }

    assert.equal((await world.read())?.since, '1970-01-01T00:00:00.000Z')
    assert.deepEqual(failures, [0, 5, 15, 35, 75, 155, 315, 555, 795, 1035, 1275])
    for (const at of failures) {
      const within = failures.filter((other) => other >= at && other < at + 60)
      assert.ok(within.length <= 4, `${within.length} from minute ${at}`)
    }
  })

  test('is announced once, with what an operator needs to know', async () => {
    const world = new World()
    const suspensions = world.open()

    await suspensions.failed(world.mailbox, refused)
    world.minutes = 5
    await suspensions.failed(world.mailbox, refused)

    const events = await world.events()
    assert.equal(events.length, 1)
    assert.equal(events[0]?.type, 'mailsluice.mailbox.suspended.v1')
    assert.deepEqual(events[0]?.data, {
      mailbox: { id: 'invoices', protocol: 'imap' },
      code: 'AUTHENTICATION_FAILED',
      reason: refused.message,
      remedy: ERROR_CODES.AUTHENTICATION_FAILED.remedy,
      since: '1970-01-01T00:00:00.000Z',
      nextTryAt: '1970-01-01T00:05:00.000Z',
    })
  })

  test('is announced with the next failure when the queue refused, and under one id', async () => {
    const world = new World()
    const sent: string[] = []
    let answers = ['refused', 'unavailable', 'lost', 'taken']
    const queues: Pick<EventQueues, 'send'> = {
      async send(_, events) {
        sent.push(...events.map(({ id }) => id))
        const [answer, ...rest] = answers
        answers = rest
        if (answer === 'unavailable') throw new IngestError('QUEUE_DENIED', 'queue default')
        return [answer === 'taken' ? { sent: true } : { sent: false, refused: 'for the moment' }]
      },
    }
    const suspensions = world.open({ queues })

    for (let failure = 0; failure < 6; failure++) await suspensions.failed(world.mailbox, refused)

    assert.equal(sent.length, 4)
    assert.equal(new Set(sent).size, 1)
  })

  test('is tried by one process only when its time has come', async () => {
    const world = new World()
    const relay = world.open()
    const drain = world.open()
    await relay.failed(world.mailbox, refused)
    world.minutes = 4
    assert.deepEqual(
      (await Promise.all([relay, drain].map((each) => each.admit(world.mailbox)))).map((a) => a.admitted),
      [false, false],
    )

    world.minutes = 5
    const admissions = await Promise.all([relay, drain, relay].map((each) => each.admit(world.mailbox)))

    assert.equal(admissions.filter(({ admitted }) => admitted).length, 1)
    // Whoever claimed the try and died does not keep the others out for ever.
    world.minutes = 15
    assert.equal((await drain.admit(world.mailbox)).admitted, true)
  })

  test('is tried at once when its secret or its settings have changed, and once only', async () => {
    const world = new World()
    const suspensions = world.open()
    await suspensions.failed(world.mailbox, refused)

    world.version = '2'
    assert.equal((await suspensions.admit(world.mailbox)).admitted, true)
    await suspensions.failed(world.mailbox, refused)
    assert.equal((await suspensions.admit(world.mailbox)).admitted, false)

    const corrected = { ...world.mailbox, user: 'v' }
    assert.equal((await suspensions.admit(corrected)).admitted, true)
    assert.equal((await suspensions.admit(corrected)).admitted, false)
  })

  test('is tried at once when the missing secret was put in its place', async () => {
    const world = new World()
    const suspensions = world.open()
    world.version = undefined
    await suspensions.failed(world.mailbox, new IngestError('CREDENTIAL_MISSING', 'ssm:/x: not there'))
    assert.equal((await suspensions.admit(world.mailbox)).admitted, false)

    world.version = '1'

    assert.equal((await suspensions.admit(world.mailbox)).admitted, true)
  })

  test('is not tried because the store of secrets does not answer, however often it does and does not', async () => {
    const world = new World()
    const suspensions = world.open()
    await suspensions.failed(world.mailbox, refused)

    for (const version of [undefined, '1', undefined, '1']) {
      world.version = version
      assert.equal((await suspensions.admit(world.mailbox)).admitted, false, String(version))
    }
  })

  test('resumes with the log-in that succeeds, and says so once', async () => {
    const world = new World()
    const suspensions = world.open()
    await suspensions.failed(world.mailbox, refused)
    await world.events()

    await suspensions.succeeded(world.mailbox)
    await suspensions.succeeded(world.mailbox)

    const events = await world.events()
    assert.deepEqual(
      events.map(({ type, data }) => ({ type, data })),
      [
        {
          type: 'mailsluice.mailbox.resumed.v1',
          data: {
            mailbox: { id: 'invoices', protocol: 'imap' },
            code: 'AUTHENTICATION_FAILED',
            since: '1970-01-01T00:00:00.000Z',
            attempts: 1,
          },
        },
      ],
    )
    assert.deepEqual(await suspensions.admit(world.mailbox), { admitted: true, suspension: undefined })
    assert.equal(await world.read(), undefined)
  })

  test('is suspended anew after it had resumed, from the shortest pause and under another id', async () => {
    const world = new World()
    const suspensions = world.open()
    const ids: string[] = []
    for (const minutes of [0, 60]) {
      world.minutes = minutes
      await suspensions.failed(world.mailbox, refused)
      ids.push((await world.events())[0]?.id as string)
      assert.equal((await world.read())?.nextTryAt, new Date((minutes + 5) * MINUTE).toISOString())
      await suspensions.succeeded(world.mailbox)
      await world.events()
    }

    assert.equal(new Set(ids).size, 2)
  })

  test('is announced under one id when two processes fail at the same time, and both failures count', async () => {
    const world = new World()

    await Promise.all([world.open(), world.open()].map((each) => each.failed(world.mailbox, refused)))

    assert.equal((await world.read())?.attempts, 2)
    assert.equal(new Set((await world.events()).map(({ id }) => id)).size, 1)
  })

  test('is entered when what is stored of it is damaged', async () => {
    const world = new World()
    const suspensions = world.open()
    await world.state.write(suspensionKey(world.mailbox.id), Buffer.from('{"v":1,"suspension":{'), 'any')

    assert.equal((await suspensions.admit(world.mailbox)).admitted, true)
    await suspensions.failed(world.mailbox, refused)
    assert.equal((await suspensions.admit(world.mailbox)).admitted, false)
  })
})

test('what the mail server refuses suspends a mailbox, what archive and queue refuse does not', () => {
  const suspending = (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) =>
    suspends(new IngestError(code, code)),
  )

  for (const code of ['AUTHENTICATION_FAILED', 'CREDENTIAL_MISSING', 'CERTIFICATE_REJECTED'] as const)
    assert.ok(suspending.includes(code), code)
  for (const code of ['CONNECTION_LOST', 'THROTTLED', 'ARCHIVE_DENIED', 'QUEUE_MISSING'] as const)
    assert.ok(!suspending.includes(code), code)
})
