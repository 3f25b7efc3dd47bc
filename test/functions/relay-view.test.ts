import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import { Output } from '../../functions/cli/output.ts'
import { type RelayView, relayView } from '../../functions/cli/relay-view.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { IngestError } from '../../shared/errors.ts'
import type { MailboxHealth } from '../../shared/relay/health.ts'
import type { RelayEvent } from '../../shared/relay/ports.ts'

const DRAWN_MS = 500
const AT = new Date('2026-03-03T09:00:00Z')

let view: RelayView

beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }))
afterEach(() => {
  view.end()
  mock.timers.reset()
})

/** A screen of so many lines, or a pipe. `text`: what was written since it was last asked for. */
function begin(
  all: readonly MailboxHealth[],
  { rows, json = false }: { rows?: number; json?: boolean } = {},
) {
  let written = ''
  const stream = () =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _, done) {
          written += chunk.toString()
          done()
        },
      }),
      rows === undefined ? {} : { isTTY: true, columns: 120, rows },
    )
  const output = new Output({ stdout: stream(), stderr: stream(), environment: {} }, json)
  view = relayView(output, { health: () => all, asks: false })
  return {
    text(): string {
      const text = written
      written = ''
      return text
    },
  }
}

function health(id: string, state: MailboxHealth['state'], more: Partial<MailboxHealth> = {}): MailboxHealth {
  const provenAgoMs = state === 'watching' ? 61_000 : undefined
  const folders = [{ folder: 'INBOX', state, provenAgoMs }]
  return {
    mailbox: mailboxId(id),
    state,
    provenAgoMs,
    provenAt: undefined,
    overdue: false,
    folders,
    canary: undefined,
    suspended: undefined,
    ...more,
  }
}

const news: RelayEvent = {
  kind: 'news',
  mailbox: mailboxId('orders'),
  at: AT,
  folder: 'INBOX',
  reason: 'arrival',
}
const refused: RelayEvent = {
  kind: 'request-failed',
  mailbox: mailboxId('orders'),
  at: AT,
  error: new IngestError('QUEUE_UNAVAILABLE', 'drain requests: away'),
  againMs: 2_000,
}

describe('the relay on a terminal', () => {
  test('has a line for each mailbox, and what happened last beside it', () => {
    const screen = begin([health('invoices', 'reconnecting'), health('orders', 'watching')], { rows: 24 })
    view.event(news)
    assert.equal(screen.text(), '')
    mock.timers.tick(DRAWN_MS)

    const [sum, titles, first, second] = screen.text().split('\n')
    assert.equal(sum, '2 mailboxes: 1 watching, 1 reconnecting')
    assert.match(titles ?? '', /^mailbox +state +proven +latency +last$/)
    assert.match(first ?? '', /^invoices +reconnecting +- +-/)
    assert.match(second ?? '', /^orders +watching +61 s +- +INBOX: mail has come, .* ago$/)
  })

  test('shows the worst first when not all fit, and says how many more there are', () => {
    const well = Array.from({ length: 20 }, (_, number) => health(`well-${number}`, 'watching'))
    const screen = begin(
      [
        ...well,
        health('away', 'reconnecting'),
        health('out', 'suspended'),
        health('lies', 'watching', { overdue: true }),
      ],
      { rows: 10 },
    )
    mock.timers.tick(DRAWN_MS)

    const lines = screen.text().split('\n')
    assert.ok(lines.length < 10, `${lines.length} lines`)
    assert.match(lines.slice(2, 5).join('\n'), /^lies +OVERDUE.*\nout +suspended.*\naway +reconnecting/)
    assert.equal(lines.at(-1), `and ${23 - (lines.length - 3)} more`)
  })

  test('says trouble above the table, which is drawn anew below it', () => {
    const screen = begin([health('orders', 'watching')], { rows: 24 })
    mock.timers.tick(DRAWN_MS)
    screen.text()

    view.event(refused)

    assert.match(
      screen.text(),
      /^\r\x1b\[2A\x1b\[J2026-03-03T09:00:00Z orders: drain could not be asked for: drain requests: away; again in 2\.0 s\n1 mailbox: 1 watching\n/,
    )
  })

  test('draws nothing after its end', () => {
    const screen = begin([health('orders', 'watching')], { rows: 24 })
    mock.timers.tick(DRAWN_MS)
    view.end()
    screen.text()

    mock.timers.tick(10 * DRAWN_MS)

    assert.equal(screen.text(), '')
  })
})

test('the relay in a pipe is a line for everything that happens, and never a table', () => {
  const pipe = begin([health('orders', 'watching')])
  view.event(news)
  mock.timers.tick(10 * DRAWN_MS)
  assert.equal(pipe.text(), '2026-03-03T09:00:00Z orders: INBOX: mail has come\n')
})

test('the relay with --json is objects, also on a terminal', () => {
  const screen = begin([health('orders', 'watching')], { rows: 24, json: true })
  view.event(refused)
  mock.timers.tick(10 * DRAWN_MS)
  const { remedy, ...error } = JSON.parse(screen.text()).error
  assert.deepEqual(error, { code: 'QUEUE_UNAVAILABLE', scope: 'session', message: 'drain requests: away' })
  assert.ok(remedy)
})
