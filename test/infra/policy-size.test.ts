import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NAMED_SECRETS_MOST, OWN_RETENTIONS_MOST } from '../../shared/contract/deployment.ts'
import { build, templates, yaml } from '../support/stacks.ts'

// AWS refuses larger policies, and says so only when a deployment is under way.

const BUCKET_POLICY_OCTETS = 20 * 1024
/** All inline policies of a role, without white space. */
const ROLE_POLICY_CHARACTERS = 10_240

/** Ids as long as they may be. */
function id(index: number): string {
  return `m${index}-`.padEnd(63, 'x')
}

function mailboxes(count: number, rest: (index: number) => string): string {
  return Array.from(
    { length: count },
    (_, index) => `- { id: ${id(index)}, protocol: imap, host: h.example, user: u, ${rest(index)} }`,
  ).join('\n')
}

const secret = (index: number): string => `credential: "ssm:/mailsluice/production/${id(index)}"`
const retained = (count: number): string =>
  yaml({
    mailboxes: mailboxes(count, (index) => `credential: "ssm:/s", retention: { days: ${1000 + index} }`),
  })

test('the archive’s policy fits with as many mailboxes with a retention of their own as are accepted', () => {
  const world = templates(retained(OWN_RETENTIONS_MOST))
  const policy = world.bucketPolicyOf(world.one('AWS::S3::Bucket', 'MailArchiveMail')[0])
  const octets = Buffer.byteLength(JSON.stringify(policy))
  assert.ok(octets <= BUCKET_POLICY_OCTETS, `${octets} octets`)
  assert.throws(() => build(retained(OWN_RETENTIONS_MOST + 1)), /8 have a retention of their own/)
})

test('the policy of every role fits with as many named secrets as are accepted', () => {
  const named = (count: number): string => yaml({ mailboxes: mailboxes(count, secret) })
  const world = templates(named(NAMED_SECRETS_MOST - 2))
  for (const [role] of world.ofType('AWS::IAM::Role')) {
    const characters = JSON.stringify(world.policiesOf(role)).length
    assert.ok(characters <= ROLE_POLICY_CHARACTERS, `${role}: ${characters} characters`)
  }
  assert.throws(() => build(named(NAMED_SECRETS_MOST - 1)), /mailboxes: 31 credentials/)
})

test('a credential that may be replaced counts twice, for roles name it twice', () => {
  const oauth2 =
    'auth: oauth2, oauth2: { grant: refresh-token, tokenUrl: "https://login.example/t", clientId: c }'
  const refreshing = (count: number): string =>
    yaml({ mailboxes: mailboxes(count, (index) => `${secret(index)}, ${oauth2}`) })
  const world = templates(refreshing(NAMED_SECRETS_MOST / 2 - 1))
  for (const [role] of world.ofType('AWS::IAM::Role'))
    assert.ok(JSON.stringify(world.policiesOf(role)).length <= ROLE_POLICY_CHARACTERS, role)
  assert.throws(() => build(refreshing(NAMED_SECRETS_MOST / 2)), /mailboxes: 32 credentials/)
})
