import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import { drainProgress, type ProgressDisplay } from '../../functions/cli/drain-progress.ts'
import { Output } from '../../functions/cli/output.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import type { DrainProgress } from '../../shared/drain/report.ts'

let clockMs: number
let display: ProgressDisplay

beforeEach(() => {
  mock.timers.enable({ apis: ['setInterval'] })
  clockMs = 1_000_000
})

afterEach(() => {
  display.end()
  mock.timers.reset()
})

function pass(milliseconds: number): void {
  clockMs += milliseconds
  mock.timers.tick(milliseconds)
}

/** A screen (`columns` given) or a pipe; `text` is what was written since it was last asked for. */
function begin({
  columns,
  mailboxes = 1,
  json = false,
}: {
  columns?: number
  mailboxes?: number
  json?: boolean
}) {
  let written = ''
  const stderr = Object.assign(
    new Writable({
      write(chunk: Buffer, _, done) {
        written += chunk.toString()
        done()
      },
    }),
    columns === undefined ? {} : { isTTY: true, columns },
  )
  const output = new Output({ stdout: new Writable(), stderr, environment: {} }, json)
  display = drainProgress(output, mailboxes, () => clockMs)
  return {
    output,
    text(): string {
      const text = written
      written = ''
      return text
    },
  }
}

function at(
  phase: DrainProgress['phase'],
  done = 0,
  total = 0,
  more: Partial<DrainProgress> = {},
): DrainProgress {
  const mailbox = 'orders' as MailboxId
  return { mailbox, phase, folder: 'INBOX', done, total, octets: done * 1000, ...more }
}

describe('progress on a terminal', () => {
  test('tells phase, count, octets, rates and the time that is left', () => {
    const screen = begin({ columns: 100 })
    display.update(at('connecting', 0, 0, { folder: undefined }))
    pass(200)
    assert.equal(screen.text(), 'orders: connecting')

    display.update(at('fetching', 0, 1500))
    for (let done = 1; done <= 300; done++) display.update(at('fetching', done, 1500))
    pass(3000)
    assert.match(screen.text(), /\r\x1b\[Jorders: 300 of 1,500, 300 kB, 100\/s, 100 kB\/s, 12 s left$/)

    display.update(at('acknowledging', 0, 1500))
    pass(200)
    assert.match(screen.text(), /\r\x1b\[Jorders: acknowledging 1,500$/)
  })

  test('does not take the time of signing in for slow fetching', () => {
    const screen = begin({ columns: 100 })
    display.update(at('connecting'))
    pass(60_000)
    display.update(at('fetching', 0, 100))
    display.update(at('fetching', 50, 100))
    pass(5000)
    assert.match(screen.text(), /orders: 50 of 100, 50 kB, 10\/s, 10 kB\/s, 5\.0 s left$/)
  })

  test('shows the rates of the last seconds: a server that stalls is seen to', () => {
    const screen = begin({ columns: 100 })
    display.update(at('connecting'))
    display.update(at('fetching', 0, 1000))
    display.update(at('fetching', 400, 1000))
    pass(1000)
    assert.match(screen.text(), /400\/s, 400 kB\/s, 1\.5 s left$/)
    for (let second = 0; second < 12; second++) pass(1000)
    assert.match(screen.text(), /orders: 400 of 1,000, 400 kB, 0\.0\/s, 0 B\/s, waiting$/)
  })

  test('counts the messages of all folders in the rate, and of one folder in what is left', () => {
    const screen = begin({ columns: 100 })
    display.update(at('connecting'))
    display.update(at('fetching', 0, 100))
    display.update(at('fetching', 100, 100))
    pass(1000)
    display.update(at('listing', 0, 0, { folder: 'Archive' }))
    display.update(at('fetching', 0, 100, { folder: 'Archive', octets: 100_000 }))
    display.update(at('fetching', 50, 100, { folder: 'Archive', octets: 200_000 }))
    pass(1000)
    assert.match(screen.text(), /orders Archive: 50 of 100, 200 kB, 75\/s, 100 kB\/s, 0\.7 s left$/)
  })

  test('has a line for each mailbox at work, drawn over the lines before, and counts the mailboxes', () => {
    const screen = begin({ columns: 100, mailboxes: 3 })
    display.update(at('connecting'))
    display.update(at('connecting', 0, 0, { mailbox: 'invoices' as MailboxId }))
    pass(200)
    assert.equal(screen.text(), 'orders: connecting\ninvoices: connecting\n0 of 3 mailboxes drained')

    display.finished('orders')
    pass(200)
    assert.equal(screen.text(), '\r\x1b[2A\x1b[Jinvoices: connecting\n1 of 3 mailboxes drained')

    display.end()
    assert.equal(screen.text(), '\r\x1b[1A\x1b[J')
    pass(10_000)
    assert.equal(screen.text(), '', 'nothing is drawn after the end')
  })

  test('gives way to whatever else is said', () => {
    const screen = begin({ columns: 100 })
    display.update(at('connecting'))
    pass(200)
    screen.text()
    screen.output.note('something else')
    assert.equal(screen.text(), '\r\x1b[Jsomething else\n')
  })

  test('is cut to the width of the screen, and a folder cannot steer it', () => {
    const screen = begin({ columns: 30 })
    const folder = `\x1b[2J${'x'.repeat(100)}`
    display.update(at('connecting', 0, 0, { folder }))
    display.update(at('fetching', 0, 1, { folder }))
    pass(200)
    assert.equal(screen.text(), `orders \ufffd[2J${'x'.repeat(18)}`)
  })
})

describe('progress in a log', () => {
  test('is a plain line now and then', () => {
    const log = begin({})
    display.update(at('connecting'))
    display.update(at('fetching', 0, 5000))
    display.update(at('fetching', 2000, 5000))
    pass(9_999)
    assert.equal(log.text(), '')
    pass(1)
    assert.equal(log.text(), 'orders: 2,000 of 5,000, 2.0 MB, 200/s, 200 kB/s, 15 s left\n')
  })

  test('is nothing with --json', () => {
    const log = begin({ json: true })
    display.update(at('connecting'))
    pass(60_000)
    assert.equal(log.text(), '')
  })
})
