import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bundleFunctions } from '../../functions/bundle.ts'
import { isAllowed, roleOf } from '../support/iam.ts'
import { ACCOUNT, type Policy, REGION, type TemplateJson, Templates } from '../support/templates.ts'

const ROOT = join(import.meta.dirname, '..', '..')

describe('docs/examples/two-tenants.ts', () => {
  const out = mkdtempSync(join(tmpdir(), 'mailsluice-example-'))
  const worlds = new Map<string, Templates>()
  after(() => rmSync(out, { recursive: true, force: true }))

  before(async () => {
    const bundles = join(out, 'bundles')
    await bundleFunctions(bundles)
    const { status, stderr } = spawnSync(process.execPath, ['docs/examples/two-tenants.ts'], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { CDK_OUTDIR: out, CDK_CONTEXT_JSON: JSON.stringify({ bundles }) },
    })
    assert.equal(status, 0, stderr)
    for (const file of readdirSync(out).filter((it) => it.endsWith('.template.json'))) {
      const template = JSON.parse(readFileSync(join(out, file), 'utf8')) as TemplateJson
      worlds.set(file.replace('.template.json', ''), new Templates([template]))
    }
  })

  test('makes the stacks of two tenants and of the copies of one', () => {
    assert.deepEqual([...worlds.keys()].sort(), ['acme-mail', 'globex-mail', 'globex-mail-copies'])
  })

  test('gives no tenant’s drain a right over the other’s mail or secrets', async () => {
    const [acme, globex] = [worlds.get('acme-mail'), worlds.get('globex-mail')]
    assert.ok(acme && globex)
    const drain = roleOf(acme, acme.one('AWS::IAM::Role', 'Ingestdrainmailbox')[0])
    const read = (of: Templates) => ({
      action: 's3:GetObject',
      resource: `${of.arnOf(of.one('AWS::S3::Bucket', 'ArchiveMail')[0])}/raw/a/b`,
    })
    assert.equal(await isAllowed(drain, read(acme)), true)
    const foreign = { action: 's3:GetObject', resource: 'arn:aws:s3:::globex-mail/raw/a/b' }
    assert.equal(await isAllowed(drain, foreign), false)
    const secret = {
      action: 'secretsmanager:GetSecretValue',
      resource: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:globex/support-AbCdEf',
    }
    assert.equal(await isAllowed(drain, secret), false)
    const other = roleOf(globex, globex.one('AWS::IAM::Role', 'Ingestdrainmailbox')[0])
    assert.equal(await isAllowed(other, secret), true)
  })

  test('gives who searches one tenant’s ledgers no right over the other’s, and each a workgroup of its own', async () => {
    const [acme, globex] = [worlds.get('acme-mail'), worlds.get('globex-mail')]
    assert.ok(acme && globex)
    const [, { Properties }] = acme.one('AWS::IAM::ManagedPolicy', 'SearchSearcher')
    const auditor = {
      role: `arn:aws:iam::${ACCOUNT}:role/Auditor`,
      policies: [Properties.PolicyDocument as Policy],
      account: ACCOUNT,
    }
    const start = (name: string) => ({
      action: 'athena:StartQueryExecution',
      resource: `arn:aws:athena:${REGION}:${ACCOUNT}:workgroup/${name}`,
    })
    assert.equal(await isAllowed(auditor, start('acme-mail')), true)
    assert.equal(await isAllowed(auditor, start('globex-mail')), false)
    const ledger = (of: Templates, bucket = of.arnOf(of.one('AWS::S3::Bucket', 'ArchiveMail')[0])) => ({
      action: 's3:GetObject',
      resource: `${bucket}/ledger/a/0000000001.ndjson`,
    })
    assert.equal(await isAllowed(auditor, ledger(acme)), true)
    assert.equal(await isAllowed(auditor, ledger(globex, 'arn:aws:s3:::globex-mail')), false)
  })

  test('copies the second tenant’s mail alone', () => {
    const replicates = (name: string): boolean =>
      worlds.get(name)?.one('AWS::S3::Bucket', 'ArchiveMail')[1].Properties.ReplicationConfiguration !==
      undefined
    assert.deepEqual([replicates('acme-mail'), replicates('globex-mail')], [false, true])
  })
})
