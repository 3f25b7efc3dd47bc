import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { isAllowed, roleOf } from '../support/iam.ts'
import { type TemplateJson, Templates } from '../support/templates.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const QUEUE = 'arn:aws:sqs:eu-central-1:111122223333:mail-events'

describe('docs/examples/eventbridge-pipe.ts', () => {
  const out = mkdtempSync(join(tmpdir(), 'mailsluice-example-'))
  let templates: Templates
  after(() => rmSync(out, { recursive: true, force: true }))

  before(() => {
    const { status, stderr } = spawnSync(process.execPath, ['docs/examples/eventbridge-pipe.ts'], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { CDK_OUTDIR: out, CDK_CONTEXT_JSON: JSON.stringify({ queueArn: QUEUE }) },
    })
    assert.equal(status, 0, stderr)
    templates = new Templates([
      JSON.parse(readFileSync(join(out, 'mail-bus.template.json'), 'utf8')) as TemplateJson,
    ])
  })

  test('takes archived messages alone from the queue to the bus, each as the event that it is', () => {
    const [, { Properties: pipe }] = templates.one('AWS::Pipes::Pipe', 'Pipe')
    assert.equal(pipe.Source, QUEUE)
    const { FilterCriteria } = pipe.SourceParameters as { FilterCriteria: { Filters: { Pattern: string }[] } }
    assert.deepEqual(
      FilterCriteria.Filters.map(({ Pattern }) => JSON.parse(Pattern) as unknown),
      [{ body: { type: [MESSAGE_ARCHIVED] } }],
    )
    const target = pipe.TargetParameters as Record<string, unknown>
    assert.equal(target.InputTemplate, '<$.body>')
    assert.deepEqual(target.EventBridgeEventBusParameters, {
      Source: 'mailsluice',
      DetailType: MESSAGE_ARCHIVED,
    })
  })

  test('lets the pipe read that queue and write to that bus, and nothing else', async () => {
    const pipe = roleOf(templates, templates.one('AWS::IAM::Role', 'PipeRole')[0])
    const bus = templates.arnOf(templates.one('AWS::Events::EventBus', 'Bus')[0])
    for (const action of ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'])
      assert.equal(await isAllowed(pipe, { action, resource: QUEUE }), true, action)
    assert.equal(await isAllowed(pipe, { action: 'events:PutEvents', resource: bus }), true)
    assert.equal(await isAllowed(pipe, { action: 'sqs:SendMessage', resource: QUEUE }), false)
    assert.equal(await isAllowed(pipe, { action: 'sqs:ReceiveMessage', resource: `${QUEUE}-other` }), false)
  })

  test('gives what hangs on the bus dead letters', () => {
    const queues = templates.ofType('AWS::SQS::Queue').filter(([id]) => !id.startsWith('AccountsDeadLetters'))
    assert.equal(queues.length, 1)
    assert.ok(queues.every(([, { Properties }]) => Properties.RedrivePolicy))
  })
})
