import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { CONSUMER_SAYS, packInto, runIn, writeConsumer } from '../support/packed.ts'

// The package installed by npm, with what it depends on from the registry.

const reachable = spawnSync('npm', ['ping', '--fetch-retries', '0'], { encoding: 'utf8' }).status === 0
const folder = mkdtempSync(join(tmpdir(), 'mailsluice-install-'))
after(() => rmSync(folder, { recursive: true, force: true }))

describe('the package, installed by npm into an empty folder', {
  skip: !reachable && 'npm reaches no registry',
}, () => {
  test('runs a consumer', () => {
    const app = join(folder, 'app')
    mkdirSync(app)
    const consumer = writeConsumer(app)
    runIn(app, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', packInto(folder))
    assert.equal(runIn(app, process.execPath, consumer), CONSUMER_SAYS)
  })
})
