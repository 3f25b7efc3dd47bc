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

interface Tasks {
  readonly clock: FastClock
  readonly mail: SimulatedMail
  readonly relays: RelayWorld[]
}

function tasks(count: number, { clock, mail }: Pick<Tasks, 'clock' | 'mail'>): Tasks {
  const relays = Array.from(
    { length: count },
    (_, index) => new RelayWorld({ clock, mail, shard: { index, count } }),
  )
  return { clock, mail, relays }
}

function sixTasks(): Tasks {
  const clock = new FastClock()
  return tasks(6, { clock, mail: new SimulatedMail(clock) })
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
  const { clock, mail, relays } = sixTasks()
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

for (const count of [4, 7])
  test(`when six tasks become ${count}, one after the other and while mail comes, nothing is missed, and each mailbox has one connection in the end`, async () => {
    const before = sixTasks()
    const { clock, mail } = before
    const all = mailboxes(1_000)
    for (const { relay } of before.relays) relay.apply(all)
    await clock.pass(MINUTE)
    const deliveredMs = new Map<MailboxId, number>()
    let number = 0
    /** Mail for a third of them, in another order each time. */
    async function mailComes(): Promise<void> {
      for (let each = 0; each < all.length / 3; each++) {
        number = (number + 7) % all.length
        const { id } = all[number] as MailboxConfig
        mail.deliver(id)
        deliveredMs.set(id, clock.nowMs())
      }
      await clock.pass(MINUTE / 6)
    }

    // As a deployment does it: each task ends before it begins with its new share.
    const after = tasks(count, before)
    for (const [index, relay] of [...before.relays.entries()].reverse()) {
      await mailComes()
      await relay.close()
      await mailComes()
      after.relays[index]?.relay.apply(all)
    }
    for (const { relay } of after.relays.slice(6)) relay.apply(all)
    await clock.pass(MINUTE)

    assertWatchedOnce(mail, all)
    const asked = new Map<MailboxId, number>()
    for (const { requests } of [...before.relays, ...after.relays])
      for (const { mailbox, atMs } of requests) asked.set(mailbox, Math.max(asked.get(mailbox) ?? 0, atMs))
    assert.equal(deliveredMs.size, all.length)
    const missed = [...deliveredMs].filter(([id, atMs]) => (asked.get(id) ?? -1) < atMs)
    assert.deepEqual(missed, [])
  })
