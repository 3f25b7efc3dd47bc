import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import { METRIC_NAMESPACE } from '../../shared/contract/metrics.ts'
import type { MailboxHealth } from '../../shared/relay/health.ts'

// What the log and the metrics of the relay are made of: written by a process, for they go to its stdout and stderr.

interface Record {
  readonly message?: string
  readonly level?: string
  readonly mailbox?: string
  readonly _aws?: {
    readonly CloudWatchMetrics: readonly { readonly Namespace: string; readonly Dimensions: string[][] }[]
  }
  readonly [name: string]: unknown
}

const MODULES = new URL('../../', import.meta.url).href

/** The JSON lines that `script` writes, with `telemetry` and IngestError at hand. */
function written(script: string): Record[] {
  const source = `
    const { RelayTelemetry } = await import('${MODULES}functions/relay/telemetry.ts')
    const { IngestError } = await import('${MODULES}shared/errors.ts')
    const telemetry = new RelayTelemetry('mailsluice', { index: 3, count: 6 })
    const at = new Date('2026-01-01T00:00:00Z')
    ${script}`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  return `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record)
}

/** Metrics by name, with their values and dimensions. */
function metricsOf(records: readonly Record[]): { name: string; value: unknown; dimensions: string[] }[] {
  return records.flatMap((record) =>
    (record._aws?.CloudWatchMetrics ?? []).flatMap(({ Namespace, Dimensions, ...rest }) => {
      assert.equal(Namespace, METRIC_NAMESPACE)
      const { Metrics } = rest as unknown as { Metrics: { Name: string }[] }
      return Metrics.map(({ Name }) => ({
        name: Name,
        value: record[Name],
        dimensions: (Dimensions[0] ?? []).toSorted(),
      }))
    }),
  )
}

function health(id: string, changes: Partial<MailboxHealth> = {}): MailboxHealth {
  return {
    mailbox: mailboxId(id),
    state: 'watching',
    provenAgoMs: 1000,
    provenAt: new Date(Date.now() - 1000).toISOString(),
    overdue: false,
    folders: [],
    canary: undefined,
    suspended: undefined,
    ...changes,
  }
}

describe('the telemetry of the relay', () => {
  test('counts mailboxes, those that are watched and those that are not, and tells the oldest proof of life', () => {
    const mailboxes = [
      health('a'),
      health('b', { state: 'polling', provenAgoMs: 90_000 }),
      health('c', { state: 'suspended', provenAgoMs: undefined }),
      health('d', { state: 'reconnecting', provenAgoMs: undefined }),
    ]
    const requested = `telemetry.event({ kind: 'requested', mailbox: 'a', at, reason: 'arrival', waitedMs: 1 });`

    const records = written(`${requested}${requested}telemetry.publish(${JSON.stringify(mailboxes)})`)

    assert.deepEqual(Object.fromEntries(metricsOf(records).map(({ name, value }) => [name, value])), {
      RelayMailboxes: 4,
      RelayWatched: 2,
      RelayUnwatched: 2,
      DrainsRequested: 2,
      RelayOldestProof: 90_000,
    })
    for (const { dimensions } of metricsOf(records)) assert.deepEqual(dimensions, ['function', 'service'])
  })

  test('tells the silence of a mailbox by its name, once it is longer than a dead connection can go unnoticed', () => {
    const silent = health('silent', {
      state: 'reconnecting',
      provenAgoMs: undefined,
      provenAt: new Date(Date.now() - 3_600_000).toISOString(),
    })

    const records = written(`telemetry.publish(${JSON.stringify([health('well'), silent])})`)

    const silences = metricsOf(records).filter(({ name }) => name === 'RelaySilence')
    assert.equal(silences.length, 1)
    assert.deepEqual(silences[0]?.dimensions, ['function', 'mailbox', 'service'])
    assert.ok((silences[0]?.value as number) >= 3_600_000)
    assert.equal(records.find((record) => 'RelaySilence' in record)?.mailbox, 'silent')
  })

  test('counts a suspension under its code and under its mailbox, and logs it as an error', () => {
    const records = written(`
      const suspension = { code: 'AUTHENTICATION_FAILED', reason: 'no', since: 's', attempts: 1, nextTryAt: 'n' }
      telemetry.event({ kind: 'suspended', mailbox: 'a', at, suspension })`)

    const failures = metricsOf(records).filter(({ name }) => name === 'MailboxFailures')
    assert.deepEqual(failures.map(({ dimensions }) => dimensions).toSorted(), [
      ['code', 'function', 'mailbox', 'service'],
      ['code', 'function', 'service'],
    ])
    const suspensions = metricsOf(records).filter(({ name }) => name === 'MailboxSuspensions')
    assert.deepEqual(
      suspensions.map(({ dimensions }) => dimensions),
      [['function', 'mailbox', 'service']],
    )
    const [line] = records.filter(({ message }) => message === 'suspended')
    assert.deepEqual([line?.level, line?.mailbox, line?.shard], ['ERROR', 'a', 3])
  })

  test('tells how long a canary took, and counts and logs those that are lost', () => {
    const canary = (announcedMs: number | undefined): string =>
      `telemetry.event({ kind: 'canary', mailbox: 'a', at, times: { noticedMs: 1, announcedMs: ${announcedMs} }, error: undefined });`

    const records = written(`${canary(700)}${canary(undefined)}telemetry.publish([])`)

    const metrics = Object.fromEntries(metricsOf(records).map(({ name, value }) => [name, value]))
    assert.equal(metrics.CanariesLost, 1)
    assert.equal(metrics.CanaryLatency, 700)
    assert.deepEqual(
      records.filter(({ message }) => message === 'canary').map(({ level }) => level),
      ['INFO', 'ERROR'],
    )
  })

  test('logs what a connection was lost by, and what passes by itself as a warning', () => {
    const records = written(`
      const error = new IngestError('CONNECTION_LOST', 'imap.example.com (u): gone')
      telemetry.event({ kind: 'disconnected', mailbox: 'a', at, folder: 'INBOX', error, againMs: 5 })`)

    const [line] = records.filter(({ message }) => message === 'disconnected')
    assert.equal(line?.level, 'WARN')
    assert.deepEqual((line?.error as { code: string } | undefined)?.code, 'CONNECTION_LOST')
  })
})
