import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { FastClock } from '../support/fast-clock.ts'
import { RelayWorld, watched } from '../support/relay-world.ts'
import { SimulatedMail } from '../support/simulated-mail.ts'

const MINUTE = 60_000

const [EXAMPLE] = [watched()]

/** As many as asked, on fifty hosts. */
function mailboxes(count: number): MailboxConfig[] {
  return Array.from({ length: count }, (_, number) => ({
    ...EXAMPLE,
    id: `mailbox-${number}` as MailboxId,
    host: `imap-${number % 50}.example`,
  }))
}

function sixRelays(): { clock: FastClock; mail: SimulatedMail; relays: RelayWorld[] } {
  const clock = new FastClock()
  const mail = new SimulatedMail(clock)
  const relays = Array.from(
    { length: 6 },
    (_, index) => new RelayWorld({ clock, mail, shard: { index, count: 6 } }),
  )
  return { clock, mail, relays }
}

/** Rejects unless exactly these are watched, each by one connection. */
function assertWatchedOnce(mail: SimulatedMail, expected: readonly MailboxConfig[]): void {
  const counts = new Map<MailboxId, number>()
  for (const { mailbox } of mail.connections()) counts.set(mailbox, (counts.get(mailbox) ?? 0) + 1)
  const often = [...counts].filter(([, count]) => count !== 1)
  assert.deepEqual(often, [])
  assert.equal(counts.size, expected.length)
  assert.ok(expected.every(({ id }) => counts.has(id)))
}

test('ten thousand mailboxes among six relays are watched once each, also while the list changes', async () => {
  const { clock, mail, relays } = sixRelays()
  const all = mailboxes(10_000)
  for (const { relay } of relays) relay.apply(all)
  await clock.pass(MINUTE)
  assertWatchedOnce(mail, all)

  const changed = [...all.slice(500), ...mailboxes(10_500).slice(10_000)]
  for (const { relay } of relays) relay.apply(changed)
  await clock.pass(MINUTE)

  assertWatchedOnce(mail, changed)
  const shares = relays.map(({ relay }) => relay.health().length)
  assert.equal(
    shares.reduce((sum, share) => sum + share),
    10_000,
  )
  // Whoever was in both lists was left alone.
  assert.ok(all.slice(500).every(({ id }) => mail.logIns.get(id)?.length === 1))
  assert.ok(mail.mostLoggingIn <= 6 * 16, `${mail.mostLoggingIn}`)
})
