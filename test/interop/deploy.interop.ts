import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  AthenaClient,
  CreateWorkGroupCommand,
  GetQueryExecutionCommand,
  ListQueryExecutionsCommand,
} from '@aws-sdk/client-athena'
import { GetQueueAttributesCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { parseConfig } from '../../shared/contract/config-text.ts'
import { FUNCTIONS, type FunctionName } from '../../shared/contract/functions.ts'
import { TICK_INPUT } from '../../shared/contract/messages.ts'
import { ANSWER_COLUMNS } from '../../shared/search/sql.ts'
import { makeAuthority } from '../support/certificates.ts'
import { type CliResult, jsonLines, startCli } from '../support/cli.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { LambdaFunction } from '../support/lambda-function.ts'
import { type Delivery, LambdaQueue } from '../support/lambda-queue.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { type Deployment, deploy } from './deployed-stacks.ts'
import { motoMissing, type RunningAws, startMoto } from './engines/aws-engine.ts'

// From `cdk deploy` to the first archived message, in the four steps of docs/deployment.md: the templates on a CloudFormation that others wrote,
// the bundles with the environment that it gives them, on the buckets, queues and parameters that it made. docs/engines.md has what moto lacks.

const SECRET = 'hunter2-of-the-mailbox'
const SAMPLES = sampleMessages()

describe('the stacks on moto', { skip: motoMissing() ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-deploy-'))
  const file = join(folder, 'mailsluice.yaml')
  const closing: (() => unknown)[] = []
  let aws: RunningAws
  let imap: ImapServer
  let environment: Record<string, string>
  let deployment: Deployment
  let sqs: SQSClient
  before(async () => {
    aws = await startMoto()
    const authority = makeAuthority()
    const { keyPem, certPem } = authority.issue({ names: ['localhost'] })
    imap = await startImapServer({
      password: SECRET,
      messages: SAMPLES.map(({ octets }) => ({ raw: octets })),
      tls: { mode: 'implicit', keyPem, certPem },
    })
    writeFileSync(join(folder, 'ca.pem'), authority.caPem)
    writeFileSync(file, configuration(imap.port))
    environment = {
      AWS_REGION: aws.region,
      AWS_ACCESS_KEY_ID: aws.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: aws.credentials.secretAccessKey,
      AWS_ENDPOINT_URL: aws.endpoint,
    }
    sqs = new SQSClient({ ...aws, useQueueUrlAsEndpoint: false })
    closing.push(
      () => rmSync(folder, { recursive: true }),
      () => aws.stop(),
      () => imap.close(),
      () => sqs.destroy(),
    )
    const { config, problems } = parseConfig(configuration(imap.port))
    assert.ok(config, problems?.join('\n'))
    deployment = await deploy(config, folder, aws)
  })
  after(async () => {
    for (const close of closing.reverse()) await close()
  })

  const run = async (...command: readonly string[]): Promise<CliResult> => {
    const { status, stdout, stderr } = await startCli(
      [...command, '--config', file, '--stack', 'mailsluice'],
      environment,
    ).ended
    return { status: status ?? -1, stdout, stderr }
  }

  test('are created, both, with every output that the documentation names', () => {
    const { archive, ingest } = deployment
    assert.deepEqual([archive.status, ingest.status], ['CREATE_COMPLETE', 'CREATE_COMPLETE'])
    for (const output of [
      'ArchiveBucket',
      'StateBucket',
      'DerivedBucket',
      'RecordsOfficerRole',
      'ArchiveKey',
    ])
      assert.ok(archive.outputs[output], output)
    for (const output of ['DrainRequestsQueueUrl', 'EventQueueUrlDefault', 'AlarmTopic', 'DrainRole'])
      assert.ok(ingest.outputs[output], output)
    assert.match(deployment.leftOut.join(' '), /ScheduleTick.*Dashboard/s)
  })

  test('make queues that each end in a dead-letter queue that is there', async () => {
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}))
    const attributes = await Promise.all(
      QueueUrls.map(async (QueueUrl) => {
        const all = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
        return all.Attributes ?? {}
      }),
    )
    const arns = attributes.map(({ QueueArn }) => QueueArn)
    const working = attributes.filter(({ QueueArn = '' }) => !/dead-?letters/i.test(QueueArn))
    assert.ok(working.length >= 4, arns.join(' '))
    for (const { QueueArn, RedrivePolicy = '{}' } of working)
      assert.ok(arns.includes(JSON.parse(RedrivePolicy).deadLetterTargetArn), QueueArn)
  })

  test('are found by the command line, which applies the mailbox list', async () => {
    const ssm = new SSMClient(aws)
    await ssm.send(
      new PutParameterCommand({ Name: '/mailsluice/invoices', Value: SECRET, Type: 'SecureString' }),
    )
    ssm.destroy()

    const applied = await run('apply')
    assert.deepEqual([applied.status, applied.stdout], [0, 'Applied: 1 mailbox.\n'], applied.stderr)

    const checked = await run('check', '--json')
    assert.equal(checked.status, 0, checked.stderr)
    const [told] = jsonLines(checked.stdout)
    assert.deepEqual(
      [told?.archive, told?.applied],
      [deployment.archive.outputs.ArchiveBucket, { same: true, unknown: [], additional: [] }],
    )
  })

  test('drain the mailbox from the tick to the event, with what each function was deployed with', async () => {
    const functions = await openFunctions()
    try {
      const scheduledAt = new Date(Date.UTC(2026, 2, 1)).toISOString()
      const tick = JSON.parse(
        JSON.stringify(TICK_INPUT).replace('<aws.scheduler.scheduled-time>', scheduledAt),
      )
      const ticked = await functions['schedule-drains'].invoke(tick)
      assert.ok(ticked.ok, JSON.stringify(ticked))
      const probeUrl = functions.environments['schedule-drains'].PROBE_QUEUE_URL ?? ''
      const drainUrl = deployment.ingest.outputs.DrainRequestsQueueUrl ?? ''
      assertDone(await new LambdaQueue(sqs, probeUrl).deliver(functions['probe-mailboxes']))
      assertDone(await new LambdaQueue(sqs, drainUrl).deliver(functions['drain-mailbox']))
    } finally {
      for (const name of NAMES) await functions[name].stop()
    }

    const listed = await run('archive', 'list', '--json')
    assert.equal(jsonLines(listed.stdout).length, SAMPLES.length, listed.stderr)
    const events = await run('events', 'receive', '--json', '--max', '100')
    assert.deepEqual(
      jsonLines(events.stdout)
        .map(({ id }) => id)
        .sort(),
      jsonLines(listed.stdout)
        .map(({ sha256 }) => `invoices/${sha256}`)
        .sort(),
    )
    const verified = await run('ledger', 'verify')
    assert.equal(verified.status, 0, verified.stderr)
    const again = await run('drain', '--json')
    assert.deepEqual(
      jsonLines(again.stdout).map(({ announced, octets }) => [announced, octets]),
      [[0, 0]],
    )
  })

  test('search the ledger by Athena, with what moto is told to answer', async () => {
    const athena = new AthenaClient(aws)
    const Name = deployment.archive.outputs.SearchWorkgroup ?? ''
    const OutputLocation = `s3://${deployment.archive.outputs.DerivedBucket}/searches/`
    await athena.send(
      new CreateWorkGroupCommand({ Name, Configuration: { ResultConfiguration: { OutputLocation } } }),
    )
    const values: Readonly<Record<string, string>> = {
      mailbox: 'invoices',
      seq: '1',
      archivedAt: '2026-03-01T00:00:00.000Z',
      certain: 'true',
      sha256: 'a'.repeat(64),
      octets: '12',
      id: '1',
      epoch: '1',
    }
    const cells = ANSWER_COLUMNS.map((name) =>
      values[name] === undefined ? {} : { VarCharValue: values[name] },
    )
    const heading = ANSWER_COLUMNS.map((name) => ({ VarCharValue: name.toLowerCase() }))
    const answer = { rows: [{ Data: heading }, { Data: cells }], column_info: [] }
    const told = await fetch(`${aws.endpoint}/moto-api/static/athena/query-results`, {
      method: 'POST',
      body: JSON.stringify({ region: aws.region, results: [answer] }),
    })
    assert.equal(told.status, 201)

    const { status, stdout, stderr } = await run('archive', 'search', '--from', "o'hara@*", '--json')

    assert.equal(status, 0, stderr)
    assert.deepEqual(
      jsonLines(stdout).map(({ mailbox, sha256, octets }) => [mailbox, sha256, octets]),
      [['invoices', 'a'.repeat(64), 12]],
    )
    assert.match(stderr, /^Athena: 1 query/m)
    const { QueryExecutionIds: [id] = [] } = await athena.send(
      new ListQueryExecutionsCommand({ WorkGroup: Name }),
    )
    const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId: id }))
    assert.deepEqual(QueryExecution?.ExecutionParameters, ["'o''hara@%'"])
    athena.destroy()
  })

  async function openFunctions() {
    const environments = {} as Record<FunctionName, Readonly<Record<string, string>>>
    const opened = {} as Record<FunctionName, LambdaFunction>
    for (const name of NAMES) {
      environments[name] = await deployment.environmentOf(name)
      opened[name] = await LambdaFunction.open({
        name,
        folder: join(folder, 'bundles', name),
        environment: { ...environment, ...environments[name] },
        timeoutMs: FUNCTIONS[name].timeoutSeconds * 1000,
      })
    }
    return { ...opened, environments }
  }
})

/** Those that are deployed whatever the configuration asks for. */
const NAMES = (Object.keys(FUNCTIONS) as FunctionName[]).filter((name) => !('optional' in FUNCTIONS[name]))

function assertDone(delivery: Delivery | undefined): void {
  assert.ok(delivery?.invocation.ok, JSON.stringify(delivery))
  assert.deepEqual(delivery.left, [])
}

function configuration(port: number): string {
  return `
archive: { retention: { days: 2555 } }
queues: { default: mail-events, tickets: ticket-events.fifo }
mailboxes:
  - { id: invoices, protocol: imap, host: localhost, port: ${port}, ca: ./ca.pem, user: testuser, credential: "ssm:/mailsluice/invoices", every: 1m }
`
}
