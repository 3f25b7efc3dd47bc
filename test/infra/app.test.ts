import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, test } from 'node:test'
import cdkJson from '../../cdk.json' with { type: 'json' }
import { yaml } from '../support/stacks.ts'

// The app as the CDK's command line runs it: a process of its own.

const ROOT = join(import.meta.dirname, '..', '..')
const BIN = join(ROOT, 'node_modules', '.bin')
const scratch = mkdtempSync(join(tmpdir(), 'mailsluice-app-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Without credentials, region and a home of its own: nothing of this machine may be needed. */
function run(
  command: string,
  args: readonly string[],
  environment: Record<string, string> = {},
  cwd: string = ROOT,
): Outcome {
  const PATH = [BIN, process.env.PATH].join(delimiter)
  return spawnSync(command, args, { cwd, encoding: 'utf8', env: { PATH, HOME: scratch, ...environment } })
}

/** infra/app.ts alone, on a configuration. */
function synthesize(text: string): Outcome {
  const file = join(mkdtempSync(join(scratch, 'config-')), 'mailsluice.yaml')
  writeFileSync(file, text)
  return run(process.execPath, ['infra/app.ts'], {
    CDK_CONTEXT_JSON: JSON.stringify({ config: file }),
    CDK_OUTDIR: mkdtempSync(join(scratch, 'out-')),
  })
}

describe('a configuration that cannot be deployed ends with its path and what is expected:', () => {
  const cases: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a route to a queue that there is not': [
      `${yaml()}\nroutes: [{ queue: invoice, when: { to: "a@*" } }]`,
      /^ {2}routes\[0\]\.queue: invoice is not under queues; expected default, invoices, tickets$/m,
    ],
    'two mailboxes with one id': [
      yaml({
        mailboxes: '- { id: invoices, protocol: imap, host: h.example, user: c, credential: "ssm:/c" }',
      }),
      /^ {2}mailboxes\[2\]\.id: invoices is already mailboxes\[0\]/m,
    ],
    'a retention of zero': [yaml().replace('days: 2555', 'days: 0'), /^ {2}archive\.retention\.days: .*1/m],
    'compliance without confirmation': [
      yaml().replace('days: 2555', 'mode: compliance, days: 2555'),
      /^ {2}archive\.retention\.mode: compliance is final: .*aws\.complianceConfirmed: true/m,
    ],
    'compliance for one mailbox without confirmation': [
      yaml({
        mailboxes:
          '- { id: c, protocol: imap, host: h.example, user: c, credential: "ssm:/c", retention: { mode: compliance, days: 9 } }',
      }),
      /^ {2}mailboxes\[2\]\.retention\.mode: compliance is final/m,
    ],
    'no retention at all': [
      yaml().replace('  retention: { days: 2555 }', '  bucket: acme-mail'),
      /^ {2}archive\.retention: missing; expected \{ days: N \}/m,
    ],
    'a secret on the machine of an operator': [
      yaml().replace('ssm:/mailsluice/invoices', 'file:./secret'),
      /^ {2}mailboxes\[0\]\.credential: file:\.\/secret is on this machine; expected ssm:NAME or secretsmanager:ID$/m,
    ],
    'a queue in no region': [
      yaml({ queues: 'odd: "https://queues.example.com/111122223333/odd"' }),
      /^ {2}queues\.odd: https:.* does not tell its region; expected its ARN$/m,
    ],
    'a copy without the key that it needs': [
      yaml({ aws: 'replication: { bucket: "arn:aws:s3:::copies" }' }),
      /^ {2}aws\.replication\.key: missing/m,
    ],
    'a setting that there is not': [yaml({ aws: 'encrypt: kms' }), /^ {2}aws\.encrypt: unknown setting/m],
  }
  for (const [name, [text, expected]] of Object.entries(cases))
    test(name, () => {
      const { status, stdout, stderr } = synthesize(text)
      assert.equal(status, 2, stderr)
      assert.match(stderr, expected)
      assert.doesNotMatch(stderr, /\n {4}at /)
      assert.equal(stdout, '')
    })
})

test('every mistake is told at once', () => {
  const { stderr } = synthesize(
    yaml()
      .replace('ssm:/mailsluice/invoices', 'env:SECRET')
      .replace('days: 2555', 'mode: compliance, days: 9'),
  )
  assert.match(stderr, /mailsluice\.yaml: 2 mistakes\n/)
})

test('a file that is not there is said by name', () => {
  const { status, stderr } = run(process.execPath, ['infra/app.ts'], {
    CDK_CONTEXT_JSON: JSON.stringify({ config: 'no-such.yaml' }),
    CDK_OUTDIR: join(scratch, 'none'),
  })
  assert.equal(status, 2)
  assert.match(stderr, /^no-such\.yaml: 1 mistake\n {2}cannot be read: .*-c config=FILE$/m)
})

describe('npx cdk synth, without credentials, docker and mailsluice.yaml', () => {
  const out = join(scratch, 'cdk.out')
  // From a folder that has no mailsluice.yaml, whatever a checkout has.
  const elsewhere = mkdtempSync(join(scratch, 'elsewhere-'))
  const app = cdkJson.app.replace(/(\S+\.ts)/g, (file) => join(ROOT, file))
  writeFileSync(join(elsewhere, 'cdk.json'), JSON.stringify({ ...cdkJson, app }))
  const outcome = run('cdk', ['synth', '--output', out], {}, elsewhere)

  test('bundles the functions and synthesizes both stacks', () => {
    assert.equal(outcome.status, 0, outcome.stderr)
    const templates = readdirSync(out).filter((file) => file.endsWith('.template.json'))
    assert.deepEqual(templates.sort(), [
      'mailsluice-archive.template.json',
      'mailsluice-ingest.template.json',
    ])
  })

  test('is for any account and region', () => {
    const { artifacts } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')) as {
      artifacts: Record<string, { type: string; environment?: string }>
    }
    const environments = Object.values(artifacts)
      .filter(({ type }) => type === 'aws:cloudformation:stack')
      .map(({ environment }) => environment)
    assert.deepEqual(environments, [
      'aws://unknown-account/unknown-region',
      'aws://unknown-account/unknown-region',
    ])
  })

  test('deploys the octets that were bundled', () => {
    const bundled = new Set(
      readdirSync(out, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('index.mjs'))
        .map((file) => readFileSync(join(out, file), 'utf8')),
    )
    for (const name of ['schedule-drains', 'probe-mailboxes', 'drain-mailbox'])
      assert.ok(bundled.has(readFileSync(join(ROOT, 'dist', name, 'index.mjs'), 'utf8')), name)
  })

  test('has neither a container nor a network of its own, for nobody asked for the relay', () => {
    const template = readFileSync(join(out, 'mailsluice-ingest.template.json'), 'utf8')
    assert.ok(!template.includes('AWS::ECS::Service'))
  })

  test('says that it is an example, and lets nobody deploy it', () => {
    assert.match(
      outcome.stderr,
      /There is no mailsluice\.yaml here: this is .*infra\/example\/mailsluice\.yaml/,
    )
    for (const stack of ['archive', 'ingest']) {
      const { Parameters } = JSON.parse(
        readFileSync(join(out, `mailsluice-${stack}.template.json`), 'utf8'),
      ) as { Parameters: Record<string, object> }
      assert.ok(Parameters.WriteMailsluiceYamlFirst, stack)
      assert.ok(!('Default' in Parameters.WriteMailsluiceYamlFirst), stack)
    }
  })
})

test('a configuration that asks for the relay gets it, as an image that is built when it is deployed', () => {
  const out = join(scratch, 'relay.out')
  const config = join(scratch, 'relay.yaml')
  writeFileSync(config, yaml({ aws: 'relay: { enabled: true, shards: 2 }' }))

  const { status, stderr } = run('cdk', ['synth', '--output', out, '-c', `config=${config}`], {}, ROOT)

  assert.equal(status, 0, stderr)
  const template = JSON.parse(readFileSync(join(out, 'mailsluice-ingest.template.json'), 'utf8')) as {
    Resources: Record<string, { Type: string }>
  }
  const services = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::ECS::Service')
  assert.equal(services.length, 2)
  const images = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('Dockerfile'),
  )
  assert.equal(images.length, 1)
})
