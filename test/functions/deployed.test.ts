import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parseApplied } from '../../shared/contract/applied.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import { openLocalQueues } from '../../shared/queue/local.ts'
import { openS3State, type S3State } from '../../shared/state/s3.ts'
import { CliFolder, type CliResult, jsonLines, mailboxOn, startCli } from '../support/cli.ts'
import { startImapServer } from '../support/imap-server.ts'
import { openScriptedBuckets } from '../support/scripted-buckets.ts'
import { type ScriptedStacks, startScriptedStacks } from '../support/scripted-stacks.ts'

// The command line finds what the CDK app has deployed: by the outputs of the stack, and never by a guess.

describe('with --stack the command line', () => {
  const folder = new CliFolder()
  const closing: (() => unknown)[] = []
  let stacks: ScriptedStacks
  let state: S3State
  let environment: Record<string, string>
  let mailbox: object
  before(async () => {
    const imap = await startImapServer({ messages: [] })
    const s3 = await openScriptedBuckets()
    const queues = await openLocalQueues({ folder: folder.path, queues: { default: 'mail-events' } })
    stacks = await startScriptedStacks({
      'mailsluice-archive': {
        ArchiveBucket: s3.archiveBucket,
        StateBucket: s3.stateBucket,
        DerivedBucket: s3.derivedBucket,
      },
      'half-archive': { ArchiveBucket: s3.archiveBucket, DerivedBucket: s3.derivedBucket },
      'denied-archive': { status: 403, code: 'AccessDenied' },
    })
    state = openS3State({ ...s3, bucket: s3.stateBucket })
    closing.push(
      () => folder.remove(),
      () => imap.close(),
      () => s3.close(),
      () => queues.close(),
      () => stacks.close(),
      () => state.close(),
    )
    mailbox = mailboxOn(imap)
    environment = {
      PASSWORD: 'testpass',
      // The queues are there.
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ENDPOINT_URL_SQS: queues.endpoint,
      AWS_ENDPOINT_URL_CLOUDFORMATION: stacks.endpoint,
    }
  })
  after(async () => {
    for (const close of closing.reverse()) await close()
  })

  const write = (more: object = {}, ...others: readonly object[]): string =>
    folder.write(
      'mailsluice.yaml',
      JSON.stringify({ queues: { default: 'mail-events' }, mailboxes: [mailbox, ...others], ...more }),
    )
  const run = async (...arguments_: readonly string[]): Promise<CliResult> => {
    const { status, stdout, stderr } = await startCli(arguments_, environment).ended
    return { status: status ?? -1, stdout, stderr }
  }
  const applied = async () => parseApplied(String((await state.read(MAILBOXES_KEY))?.content)).config

  test('says before anything is applied that nothing is', async () => {
    const { status, stdout, stderr } = await run('check', '--config', write(), '--stack', 'mailsluice')

    assert.equal(status, 0, stderr)
    assert.match(
      stdout,
      /^deployment mailsluice: archive mail-archive, state mail-state, nothing is applied$/m,
    )
    assert.match(stdout, /^archive s3:\/\/mail-archive.*Object Lock on/m)
    assert.match(stderr, /what is written here is not what runs; run mailsluice apply/)
  })

  test('applies to the state bucket of the deployment, and puts no bucket into what is applied', async () => {
    const { status, stdout, stderr } = await run('apply', '--config', write(), '--stack', 'mailsluice')

    assert.equal(status, 0, stderr)
    assert.match(stdout, /Applied: 1 mailbox\./)
    const { archive, mailboxes } = await applied()
    assert.equal(archive.bucket, undefined)
    assert.deepEqual(
      mailboxes.map(({ id }) => id),
      ['orders'],
    )
  })

  test('names the mailboxes that are written and not applied, and those that are only applied', async () => {
    const config = write({}, { ...mailbox, id: 'new' })
    assert.equal((await run('apply', '--config', config, '--stack', 'mailsluice')).status, 0)

    const checked = await run('check', '--json', '--config', config, '--stack', 'mailsluice')
    assert.deepEqual(jsonLines(checked.stdout)[0]?.applied, { same: true, unknown: [], additional: [] })

    const other = write({}, { ...mailbox, id: 'newer' })
    const { stdout, stderr } = await run('check', '--config', other, '--stack', 'mailsluice')
    assert.match(
      stdout,
      /^deployment mailsluice: .*another configuration is applied, without newer, with new$/m,
    )
    assert.match(stderr, /run mailsluice apply/)
  })

  test('finds what was deployed by aws.stack alone, where the configuration names no bucket', async () => {
    const config = write({ aws: { stack: 'mailsluice' } })
    const { status, stdout, stderr } = await run('apply', '--config', config)
    assert.equal(status, 0, stderr)
    assert.match(stdout, /Applied/)
  })

  test('asks CloudFormation for nothing where the configuration names the buckets', async () => {
    const asked = stacks.asked.length
    const config = write({ archive: { bucket: 'mail-archive' }, state: { bucket: 'mail-state' }, aws: {} })
    assert.equal((await run('apply', '--config', config)).status, 0)
    assert.equal(stacks.asked.length, asked)
  })

  describe('ends with status 2 and says what to do:', () => {
    const cases: readonly (readonly [string, object, readonly string[], RegExp])[] = [
      [
        'a stack that is not there',
        {},
        ['--stack', 'other'],
        /stack other-archive: 1 mistake\n {2}there is no stack other-archive in this account and region; expected .*AWS_REGION/,
      ],
      [
        'a stack without the outputs',
        {},
        ['--stack', 'half'],
        /stack half-archive: 1 mistake\n {2}it has no output StateBucket; expected /,
      ],
      [
        'what is no name of a deployment',
        {},
        ['--stack', 'Mailsluice Archive'],
        /--stack: 1 mistake\n {2}Mailsluice Archive is no name of a deployment; expected /,
      ],
      [
        'a configuration of another archive',
        { archive: { bucket: 'acme-mail' } },
        ['--stack', 'mailsluice'],
        /archive\.bucket of .*mailsluice\.yaml is acme-mail, and mailsluice-archive has mail-archive; expected the same/,
      ],
      [
        'a folder and a stack',
        {},
        ['--stack', 'mailsluice', '--local'],
        /--stack <name>' cannot be used with .*--local/,
      ],
      ['neither bucket nor stack', {}, [], /archive\.bucket: missing; expected .*--stack NAME.*--local/],
    ]
    for (const [name, more, arguments_, said] of cases)
      test(name, async () => {
        const { status, stdout, stderr } = await run('apply', '--config', write(more), ...arguments_)
        assert.deepEqual([status, stdout], [2, ''])
        assert.match(stderr, said)
      })
  })

  test('fails when it may not ask, and names the right that is missing', async () => {
    const { status, stdout, stderr } = await run('check', '--config', write(), '--stack', 'denied')
    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, /stack denied-archive: AccessDenied.*cloudformation:DescribeStacks/s)
  })

  test('fails when nobody answers, without a trace of the program', async () => {
    environment = { ...environment, AWS_ENDPOINT_URL_CLOUDFORMATION: 'http://127.0.0.1:1' }
    const { status, stderr } = await run('check', '--config', write(), '--stack', 'mailsluice')
    assert.equal(status, 1)
    assert.match(stderr, /stack mailsluice-archive: .*ECONNREFUSED/)
    assert.doesNotMatch(stderr, /\n {4}at /)
  })
})
