import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { FUNCTIONS, type FunctionName } from '../../shared/contract/functions.ts'
import type { DrainId, Epoch, Sha256, Uid } from '../../shared/contract/ids.ts'
import { LOOKED_AT } from '../../shared/contract/metrics.ts'
import { PRICES } from '../../shared/contract/prices.ts'
import { rulesDigest } from '../../shared/drain/selection.ts'
import { dayOf } from '../../shared/ledger/id-days.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { LAMBDA } from '../../shared/limits.ts'
import { dueMailboxes } from '../../shared/schedule.ts'
import { makeAuthority } from '../support/certificates.ts'
import { startImapServer } from '../support/imap-server.ts'
import { mailboxSettings, SECRET } from '../support/lambda-scene.ts'
import { bundleForTest, LambdaWorld } from '../support/lambda-world.ts'
import { openScriptedBuckets } from '../support/scripted-buckets.ts'
import { openProxy } from './measured-drain.ts'
import { processorMs } from './processor-time.ts'

// What it costs to look at many mailboxes in which nothing is new: one tick of the bundled functions, each a process as Lambda runs it, over TLS to
// a mail server at a distance, with an S3 and an SQS on this machine: `node test/bench/idle-mailboxes.bench.ts`.

const { values: options } = parseArgs({
  options: {
    mailboxes: { type: 'string', default: '10000' },
    every: { type: 'string', default: '5m' },
    'round-trip': { type: 'string', default: '80' },
  },
})
const TICK_MS = 60_000
const TICKS_A_MONTH = 730 * 60
/** Lambda gives a function of 1769 MB one whole processor. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const MIB_OF_A_PROCESSOR = 1769

/** As a drain leaves a mailbox whose single message it has archived. */
async function settle(
  world: LambdaWorld,
  ids: ReadonlySet<string>,
  mailboxes: Parameters<typeof dueMailboxes>[0],
): Promise<void> {
  const at = new Date()
  for (const mailbox of mailboxes.filter(({ id }) => ids.has(id))) {
    const ledger = await openLedger(mailbox.id, world)
    const entry = {
      type: 'message',
      folder: 'INBOX',
      epoch: '1' as Epoch,
      id: 1 as Uid,
      outcome: 'announced',
      sha256: '5d'.repeat(32) as Sha256,
      octets: 5_000,
      queue: 'default',
    } as const
    await ledger.commit(
      {
        drain: 'idle' as DrainId,
        startedAt: at,
        closedAt: at,
        octetsFetched: 5_000,
        server: undefined,
        afterArchive: 'keep',
        entries: [entry],
      },
      undefined,
    )
    await ledger.saveSnapshot({
      INBOX: { epoch: '1' as Epoch, uidNext: 2, day: dayOf(at), rules: rulesDigest(mailbox) },
    })
  }
}

interface Spent {
  readonly invocations: number
  readonly seconds: number
  readonly processorSeconds: number
}

/** What AWS would bill: waiting as measured, and the processor's work by the share of it that the function's memory comes with. */
function billedSeconds(name: FunctionName, { seconds, processorSeconds }: Spent): number {
  const share = Math.min(1, FUNCTIONS[name].memoryMib / MIB_OF_A_PROCESSOR)
  return Math.max(0, seconds - processorSeconds) + processorSeconds / share
}

function costOf(name: FunctionName, spent: Spent): number {
  const gigabytes = FUNCTIONS[name].memoryMib / 1024
  return (
    spent.invocations * PRICES.lambdaRequest +
    billedSeconds(name, spent) * gigabytes * PRICES.lambdaGigabyteSecond
  )
}

const authority = makeAuthority()
const imap = await startImapServer({
  password: SECRET,
  messages: [{ raw: 'Subject: old\r\n\r\nKnown.\r\n' }],
  tls: { mode: 'implicit', ...authority.issue({ names: ['localhost'] }) },
})
const { proxy, ports } = await openProxy([imap.port], Number(options['round-trip']))
const s3 = await openScriptedBuckets()
const { bundles, remove } = await bundleForTest()
const world = await LambdaWorld.open({ s3, bundles, parameters: { '/mailsluice/test': SECRET } })
try {
  const settings = Array.from({ length: Number(options.mailboxes) }, (_, index) =>
    mailboxSettings(`idle-${index}`, ports[0] as number, {
      host: 'localhost',
      tls: 'implicit',
      ca: './ca.pem',
      every: options.every,
    }),
  )
  const { mailboxes } = await world.apply(settings, { authorities: { './ca.pem': authority.caPem } })
  const at = new Date(Date.UTC(2026, 2, 1))
  const due = dueMailboxes(mailboxes, at, TICK_MS)
  console.log(`${mailboxes.length} mailboxes, every ${options.every}: ${due.length} are due at a tick`)
  await settle(world, new Set(due.map(({ id }) => id)), mailboxes)

  const tick = { v: 1, scheduledAt: at.toISOString() }
  const schedule = world.functions['schedule-drains']
  const ticked = async (): Promise<Spent> => {
    const [startedMs, before] = [performance.now(), processorMs(schedule.processId)]
    assert.ok((await schedule.invoke(tick)).ok)
    return {
      invocations: 1,
      seconds: (performance.now() - startedMs) / 1000,
      processorSeconds: (processorMs(schedule.processId) - before) / 1000,
    }
  }
  // The first one reads the configuration; those after it only ask whether it has changed.
  assert.ok((await schedule.invoke({ v: 1, scheduledAt: new Date(0).toISOString() })).ok)
  while (await world.probeRequests.deliver(world.functions['probe-mailboxes'])) {}
  const spentOnTick = await ticked()

  const probes = world.functions['probe-mailboxes']
  let spent: Spent = { invocations: 0, seconds: 0, processorSeconds: 0 }
  while (true) {
    const [startedMs, before] = [performance.now(), processorMs(probes.processId)]
    const delivery = await world.probeRequests.deliver(probes)
    if (!delivery) break
    assert.deepEqual(delivery.left, [])
    spent = {
      invocations: spent.invocations + 1,
      seconds: spent.seconds + (performance.now() - startedMs) / 1000,
      processorSeconds: spent.processorSeconds + (processorMs(probes.processId) - before) / 1000,
    }
  }
  assert.equal(spent.invocations, Math.ceil(due.length / LAMBDA.mailboxesPerProbe))
  const looked = probes.records.flatMap((record) => (record[LOOKED_AT] ?? []) as readonly string[])
  assert.equal(new Set(looked).size, due.length, probes.lines.slice(-3).join('\n'))
  assert.equal(await world.deliverDrain(), undefined, 'nothing is new, and no drain is asked for')

  const each = (name: string, { invocations, seconds, processorSeconds }: Spent): void =>
    console.log(
      `${name}: ${invocations} invocations, each ${(seconds / invocations).toFixed(2)} s, ${((processorSeconds / invocations) * 1000).toFixed(0)} ms of a processor`,
    )
  each('schedule-drains', spentOnTick)
  each('probe-mailboxes', spent)
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${probes.processId}/status`, 'utf8'))?.[1]
  const billed = billedSeconds('probe-mailboxes', spent)
  console.log(
    `a look: ${((spent.processorSeconds / due.length) * 1000).toFixed(1)} ms of a processor; ${Math.round(Number(peak) / 1024)} MiB at most for ${LAMBDA.mailboxesPerProbe} at the same time`,
  )
  console.log(
    `billed by Lambda: ${(billed / spent.invocations).toFixed(2)} s a group, ${((costOf('probe-mailboxes', spent) + costOf('schedule-drains', spentOnTick)) * TICKS_A_MONTH).toFixed(2)} USD a month`,
  )
} finally {
  await world.close()
  await s3.close()
  proxy?.kill()
  if (proxy) await once(proxy, 'exit')
  await imap.close()
  remove()
}
