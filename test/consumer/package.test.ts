import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { buildConsumerKit, type ConsumerKit } from '../../functions/consumer-kit.ts'
import { CONSUMER_SAYS, packInto, runIn, writeConsumer } from '../support/packed.ts'

// The package as others get it: packed, in an empty folder, on its own.

const ROOT = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'mailsluice-package-'))
const installed = join(folder, 'node_modules', 'mailsluice')
let kit: ConsumerKit

before(async () => {
  kit = await buildConsumerKit(join(folder, 'kit'))
  const tarball = packInto(folder)
  mkdirSync(installed, { recursive: true })
  runIn(folder, 'tar', '-xzf', tarball, '-C', installed, '--strip-components=1')
})
after(() => rmSync(folder, { recursive: true, force: true }))

describe('the consumer kit', () => {
  test('needs no SDK, no mail client, no server and no configuration unless S3 is asked for', () => {
    const foreign = (name: string) =>
      kit.inputs[name]?.flatMap((file) => /^(?:.*node_modules\/)?((?:@[^/]+\/)?[^/.]+)/.exec(file)?.[1] ?? [])
    assert.deepEqual(
      new Set(foreign('index')),
      new Set(['node:crypto', 'node:fs', 'node:path', 'node:stream', 'node:url', 'shared', 'zod']),
    )
    const inS3 = new Set(foreign('s3'))
    for (const name of ['@aws-sdk', '@smithy'])
      assert.ok(
        [...inS3].some((each) => each.startsWith(name)),
        name,
      )
    assert.ok(!inS3.has('zod'))
  })

  test('has no TypeScript in it but declarations', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    assert.ok(files.includes('dist/consumer/index.mjs'))
    assert.deepEqual(
      files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts')),
      [],
    )
  })
})

describe('the package, in a folder with nothing else', () => {
  test('runs: a Lambda that handles a batch', () => {
    assert.equal(runIn(folder, process.execPath, writeConsumer(folder)), CONSUMER_SAYS)
  })

  test('says that the command line is not in it', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(installed, 'functions', 'launch.mjs'), 'drain'],
      {
        encoding: 'utf8',
      },
    )
    assert.equal(status, 1)
    assert.match(stderr, /^mailsluice: this package holds the consumer kit/)
  })

  test('has types: what is right compiles, and what is wrong does not', () => {
    mkdirSync(join(folder, 'node_modules', '@aws-sdk'), { recursive: true })
    mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true })
    // What npm would install beside it.
    for (const name of ['zod', '@aws-sdk/client-s3', '@types/node'])
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
    writeFileSync(
      join(folder, 'consumer.ts'),
      `import { S3Client } from '@aws-sdk/client-s3'
import { consumeBatch, type Event, MESSAGE_ARCHIVED, openRaw, readEvent, rememberEvents } from 'mailsluice/consumer'
import { openS3Objects, openS3State } from 'mailsluice/consumer/s3'

const open = openS3Objects(new S3Client())
const seen = rememberEvents(openS3State({ bucket: 'state' }), { consumer: 'x' })
export async function handler(batch: unknown) {
  return consumeBatch(batch, async (event: Event) => {
    if (event.type !== MESSAGE_ARCHIVED) return
    const octets: number = event.data.raw.octets
    if (event.data.class === 'bounce' || octets === 0) return
    for await (const chunk of await openRaw(event.data, open)) void chunk
  }, { seen })
}
// @ts-expect-error a reset tells nothing of a message
export const wrong: number = readEvent('')?.data.raw.octets
`,
    )
    runIn(
      folder,
      join(ROOT, 'node_modules', '.bin', 'tsc'),
      ...[
        '--noEmit',
        '--strict',
        '--module',
        'nodenext',
        '--target',
        'es2022',
        '--types',
        'node',
        'consumer.ts',
      ],
    )
  })
})
