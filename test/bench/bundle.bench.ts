import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleFunctions, bundleRelay } from '../../functions/bundle.ts'

// What a cold start loads: the size of each bundle, and the processor time until its handler is there, in a new process each time (files in
// the page cache): `node test/bench/bundle.bench.ts [times]`. Fails when a target is missed. Lambda's disk and half a processor are slower.

const TIMES = Number(process.argv[2] ?? 15)
const TARGET = { kib: 2560, importMs: 500 }

/** Everything that any function or the relay wants to be told; nothing is asked for before the first invocation. */
const ENVIRONMENT = {
  AWS_REGION: 'eu-central-1',
  DEPLOYMENT: 'bench',
  STATE_BUCKET: 'state',
  ARCHIVE_BUCKET: 'archive',
  SEAL_KEY: 'arn:aws:kms:eu-central-1:111122223333:key/7d2f3c1a-0000-4000-8000-000000000000',
  DERIVED_BUCKET: 'derived',
  PROBE_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/111122223333/probe-requests',
  DRAIN_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/111122223333/drain-requests.fifo',
  TICK_SECONDS: '60',
}

/** Milliseconds of the processor, which other work on the machine disturbs less than the clock. */
const MEASURE = `
const before = process.cpuUsage()
await import(process.argv[1])
const { user, system } = process.cpuUsage(before)
console.log((user + system) / 1000)
process.exit()`

function importMs(file: string): number {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--enable-source-maps', '--input-type=module', '-e', MEASURE, pathToFileURL(file).href],
    { encoding: 'utf8', env: ENVIRONMENT },
  )
  assert.ok(Number(stdout) > 0, stderr)
  return Number(stdout)
}

const folder = mkdtempSync(join(tmpdir(), 'mailsluice-bench-'))
try {
  const relay = await bundleRelay(folder)
  console.log(`${relay.name}: ${Math.round(relay.octets / 1024)} KiB; it starts once`)
  for (const { name, folder: bundle, octets } of await bundleFunctions(folder)) {
    const times = Array.from({ length: TIMES }, () => importMs(join(bundle, 'index.mjs'))).toSorted(
      (a, b) => a - b,
    )
    const median = times[Math.floor(TIMES / 2)] as number
    const kib = Math.round(octets / 1024)
    console.log(
      `${name}: ${kib} KiB, import ${median.toFixed(0)} ms (${times[0]?.toFixed(0)} to ${times.at(-1)?.toFixed(0)})`,
    )
    assert.ok(kib < TARGET.kib, 'the bundle is larger than its target')
    assert.ok(median < TARGET.importMs, 'the import takes longer than its target')
  }
} finally {
  rmSync(folder, { recursive: true })
}
