import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { buildConsumerKit, type ConsumerKit } from '../../functions/consumer-kit.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { CONSUMER_SAYS, packInto, runIn, writeConsumer } from '../support/packed.ts'
import { sampleMessages } from '../support/sample-messages.ts'

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
  /** Packages and modules of Node that are loaded with an entry. */
  const loaded = (name: string): string[] => {
    const packages = kit.inputs[name]?.map((file) =>
      file.startsWith('shared/')
        ? 'shared'
        : file.replace(/^.*node_modules\//, '').replace(/^((@[^/]+\/)?[^/]+).*/, '$1'),
    )
    return [...new Set(packages)].filter((each) => !each.startsWith('node:')).sort()
  }

  test('loads no SDK, no mail client, no parser, no server and no configuration, but where S3 or SQS is asked for', () => {
    assert.deepEqual(loaded('index'), ['shared', 'zod'])
    assert.deepEqual(loaded('s3'), ['@aws-sdk/client-s3', '@smithy/node-http-handler', 'shared'])
    assert.deepEqual(loaded('sqs'), ['@aws-sdk/client-sqs', 'shared', 'zod'])
    const ours = kit.inputs.index?.filter((file) => file.startsWith('shared/')) ?? []
    assert.deepEqual(
      ours.filter(
        (file) => !/^shared\/(consumer|contract|state|archive|errors|limits|make-folder)/.test(file),
      ),
      [],
    )
  })

  test('reads an attachment that has expired out of the message', async () => {
    const { openAttachment, openFileObjects } = (await import(
      pathToFileURL(join(kit.folder, 'index.mjs')).href
    )) as typeof import('../../shared/consumer/index.ts')
    const { octets } = sampleMessages().find(({ name }) => name === 'invoice') ?? assert.fail()
    const [attachment] = (await parseMessage(octets)).attachments
    assert.ok(attachment)
    const message = join(folder, 'a.eml')
    writeFileSync(message, octets)
    const { sha256, length } = memoryOctets(octets)
    const raw = { uri: pathToFileURL(message).href, key: 'raw/a', sha256, octets: length }
    const expired = { ...attachment, uri: pathToFileURL(join(folder, 'expired.pdf')).href }

    const stream = await openAttachment({ raw }, expired, openFileObjects(folder))

    const decoded = memoryOctets(Buffer.concat(await stream.toArray()))
    assert.deepEqual([decoded.length, decoded.sha256], [attachment.octets, attachment.sha256])
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
    for (const name of ['zod', '@aws-sdk/client-s3', '@aws-sdk/client-sqs', '@types/node'])
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
    writeFileSync(
      join(folder, 'consumer.ts'),
      `import { S3Client } from '@aws-sdk/client-s3'
import { consumeBatch, type Event, MESSAGE_ARCHIVED, openRaw, readEvent, rememberEvents } from 'mailsluice/consumer'
import { openS3Objects, openS3State } from 'mailsluice/consumer/s3'
import { consumeQueue } from 'mailsluice/consumer/sqs'

const open = openS3Objects(new S3Client())
const seen = rememberEvents(openS3State({ bucket: 'state' }), { consumer: 'x' })
export const poll = consumeQueue
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
