import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks, NIST80053R5Checks } from 'cdk-nag'
import { build, yaml } from '../support/stacks.ts'

const PACKS = { AwsSolutions: AwsSolutionsChecks, 'NIST 800-53 revision 5': NIST80053R5Checks }

const WATCHED = '- { id: w, protocol: imap, host: h.example, user: w, credential: "ssm:/w", idle: true }'

/** Every choice that makes other resources. */
const CHOICES: Readonly<Record<string, string>> = {
  'the defaults': yaml(),
  'encryption by S3': yaml({ aws: 'encryption: s3\nnetwork: { staticAddress: true }' }),
  'a static address': yaml({ aws: 'network: { staticAddress: true }' }),
  'a copy': yaml({
    aws: 'replication: { bucket: "arn:aws:s3:::copies", key: "arn:aws:kms:eu-west-1:444455556666:key/1" }',
  }),
  'a relay in a network of its own': yaml({ mailboxes: WATCHED }),
  'a relay behind a static address': yaml({ mailboxes: WATCHED, aws: 'network: { staticAddress: true }' }),
  'reserved concurrency': yaml({ aws: 'drains: { reserved: true }' }),
}

/** As the packs see an app that is synthesized, references between its stacks included. */
function synthesized(text: string): App {
  const { app } = build(text, text.includes('idle: true') ? { relay: {} } : {})
  app.synth()
  return app
}

interface Report {
  readonly violations: readonly {
    readonly ruleName: string
    readonly violatingResources: readonly { readonly constructPath?: string | undefined }[]
  }[]
}

function findings({ violations }: Report): string[] {
  return violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}`),
  )
}

describe('nothing is left to say by the rules of', () => {
  for (const [choice, text] of Object.entries(CHOICES)) {
    const app = synthesized(text)
    for (const [name, Checks] of Object.entries(PACKS))
      test(`${name}, with ${choice}`, () =>
        assert.deepEqual(findings(new Checks(app).validateScope(app)), []))
  }
})

test('every exception is one that a rule would find, and has a reason of a sentence or more', () => {
  const found = new Set<string>()
  const said = new Map<string, string>()
  for (const text of Object.values(CHOICES)) {
    const app = synthesized(text)
    for (const construct of app.node.findAll())
      for (const { type, data } of construct.node.metadata)
        if (type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
          for (const [id, reason] of Object.entries(data as Record<string, string>))
            said.set(`${id.replace(/^annotation::/i, '')} ${reason}`, reason)
    for (const Checks of Object.values(PACKS)) {
      const pack = new Checks(app)
      Object.assign(pack, { isAcknowledged: () => false })
      for (const { ruleName } of pack.validateScope(app).violations) found.add(ruleName)
    }
  }

  const exceptions = [...said].filter(([text]) => /^(AwsSolutions|NIST)/.test(text))
  assert.ok(exceptions.length >= 20, `${exceptions.length} exceptions`)
  for (const [text, reason] of exceptions) {
    const id = text.slice(0, -reason.length - 1)
    assert.ok(found.has(id), `${id} is not found any more`)
    assert.match(reason, /^[A-Z].{20,}\.$/, id)
  }
})
