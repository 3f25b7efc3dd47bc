import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { PRICES, PRICES_AS_OF } from '../../shared/contract/prices.ts'
import { type Cost, estimateCost, MONTH_SECONDS, type Usage } from '../../shared/operations/cost.ts'

const RELAY = { shards: 1, cpu: 256, memoryMib: 512 }
const IDLE: Usage = {
  mailboxes: 100,
  looks: (100 * MONTH_SECONDS) / 300,
  messages: 0,
  octets: 75_000,
  months: 12,
  queues: 1,
  ownKeys: true,
  relay: undefined,
  staticAddress: false,
  drainMemoryMib: 1024,
}

/** What changes by `changes`, in USD. */
function difference(changes: Partial<Usage>, usage: Usage = IDLE): Cost {
  const [before, after] = [estimateCost(usage), estimateCost({ ...usage, ...changes })]
  return Object.fromEntries(
    Object.entries(after).map(([part, usd]) => [part, usd - before[part as keyof Cost]]),
  ) as unknown as Cost
}

describe('the cost', () => {
  test('without mail is that of looking and of what stands, and its parts are the whole', () => {
    const { total, ...parts } = estimateCost(IDLE)
    assert.deepEqual([parts.mail, parts.storage, parts.relay, parts.network], [0, 0, 0, 0])
    assert.ok(parts.looks > 0 && parts.standing > 0)
    assert.ok(Math.abs(Object.values(parts).reduce((sum, part) => sum + part, 0) - total) < 1e-9)
  })

  test('of looking is half when mailboxes are looked at half as often', () => {
    const { looks } = difference({ looks: IDLE.looks / 2 })
    assert.ok(Math.abs(looks + estimateCost(IDLE).looks / 2) < 1e-9)
  })

  test('of a message is its PUT and its share of the queue at the least, and of a drain the less the more come at once', () => {
    const few = estimateCost({ ...IDLE, messages: 1000 }).mail / 1000
    const many = estimateCost({ ...IDLE, messages: 100_000_000 }).mail / 100_000_000
    assert.ok(few > many && many > PRICES.s3Put, `${few} ${many}`)
  })

  test('of storage is that of the months that are kept', () => {
    const gigabytes = (1_000_000 * 75_600 * 12) / 1e9
    assert.ok(
      Math.abs(estimateCost({ ...IDLE, messages: 1_000_000 }).storage - gigabytes * PRICES.s3GigabyteMonth) <
        1e-9,
    )
  })

  test('of the relay is its tasks, and a drain for each message in place of each look', () => {
    assert.ok(Math.abs(difference({ relay: RELAY }).relay - 10.86) < 0.1)
    assert.ok(difference({ relay: RELAY }, { ...IDLE, messages: 10_000_000 }).mail > 0)
  })

  test('of a static address is the gateway, and of keys, queues and alarms what each costs', () => {
    assert.ok(Math.abs(difference({ staticAddress: true }).network - 36.5) < 0.1)
    assert.equal(Math.round(difference({ ownKeys: false }).standing * 100), -200)
    assert.equal(Math.round(difference({ queues: 3 }).standing * 100), 20)
    // One alarm for all when there are more than fifty.
    assert.ok(difference({ mailboxes: 51 }, { ...IDLE, mailboxes: 50 }).standing < 0)
  })
})

test('docs/cost.md has the table that the command line reckons', () => {
  const held = readFileSync(new URL('../../docs/cost.md', import.meta.url), 'utf8')
  const rows = [
    tableRow('10', '10,000', '5m', { mailboxes: 10, messages: 10_000 }),
    tableRow('100', '100,000', '5m', { mailboxes: 100, messages: 100_000 }),
    tableRow('1,000', '1,000,000', '5m', { mailboxes: 1000, messages: 1_000_000 }),
    tableRow('1,000', '1,000,000', '30m, relay', {
      mailboxes: 1000,
      messages: 1_000_000,
      minutes: 30,
      relay: RELAY,
    }),
    tableRow('10,000', '10,000,000', '5m', { mailboxes: 10_000, messages: 10_000_000 }),
    tableRow('10,000', '10,000,000', '30m, relay', {
      mailboxes: 10_000,
      messages: 10_000_000,
      minutes: 30,
      relay: { ...RELAY, shards: 5 },
    }),
  ]
  assert.deepEqual(
    held.split('\n').filter((line) => /^\| 1[0,]+ \|/.test(line)),
    rows,
  )
  assert.ok(held.includes(PRICES_AS_OF))
})

function tableRow(
  mailboxes: string,
  messages: string,
  every: string,
  { minutes = 5, ...usage }: Partial<Usage> & { readonly mailboxes: number; readonly minutes?: number },
): string {
  const looks = (usage.mailboxes * MONTH_SECONDS) / (minutes * 60)
  const cost = estimateCost({ ...IDLE, ...usage, looks })
  const cells = [cost.standing, cost.relay, cost.looks, cost.mail, cost.logs, cost.storage, cost.total]
  return `| ${[mailboxes, messages, every, ...cells.map((usd) => usd.toFixed(2))].join(' | ')} |`
}
