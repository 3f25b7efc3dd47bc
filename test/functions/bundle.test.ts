import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Bundle } from '../../functions/bundle.ts'
import { FUNCTIONS } from '../../shared/contract/functions.ts'
import { DRAIN, LAMBDA } from '../../shared/limits.ts'
import { LambdaFunction } from '../support/lambda-function.ts'
import { bundleForTest } from '../support/lambda-world.ts'

let bundles: readonly Bundle[]
let remove: () => void
before(async () => {
  const made = await bundleForTest()
  bundles = made.bundles
  remove = made.remove
})
after(() => remove())

const bundleOf = (name: string): Bundle => {
  const bundle = bundles.find((each) => each.name === name)
  assert.ok(bundle)
  return bundle
}

describe('the bundles', () => {
  test('are those of the functions that are deployed, each with its handler and its source map', () => {
    assert.deepEqual(
      bundles.map(({ name }) => name),
      Object.keys(FUNCTIONS).sort(),
    )
    for (const { folder } of bundles)
      for (const file of ['index.mjs', 'index.mjs.map']) assert.ok(existsSync(join(folder, file)), file)
  })

  test('have neither the local queue server nor archives in files, nor YAML, for what is applied was read before', () => {
    for (const { name, inputs } of bundles)
      assert.deepEqual(
        inputs.filter((file) =>
          /fauxqs|sqlite|shared\/(archive|state)\/file|queue\/local|node_modules\/yaml\//.test(file),
        ),
        [],
        name,
      )
  })

  test('have the SDK in them, for that of the runtime is older', () => {
    for (const { name, folder, inputs } of bundles) {
      assert.ok(
        inputs.some((file) => file.includes('@aws-sdk/client-s3')),
        name,
      )
      for (const file of readdirSync(folder).filter((each) => each.endsWith('.mjs')))
        assert.doesNotMatch(readFileSync(join(folder, file), 'utf8'), /\bfrom\s*"@/, file)
    }
  })

  test('have a mail library only where mailboxes are entered', () => {
    const withMail = bundles.filter(({ inputs }) => inputs.some((file) => /\/imapflow\//.test(file)))
    assert.deepEqual(
      withMail.map(({ name }) => name),
      ['drain-mailbox', 'probe-mailboxes'],
    )
  })

  test('have what verifies DKIM only where it is verified, and of it neither BIMI nor a client of its own', () => {
    const withMailauth = bundles.filter(({ inputs }) => inputs.some((file) => /\/mailauth\//.test(file)))
    assert.deepEqual(
      withMailauth.map(({ name }) => name),
      ['verify-authentication'],
    )
    assert.deepEqual(
      bundleOf('verify-authentication').inputs.filter((file) =>
        /\/(bimi|mta-sts|undici|fast-xml-parser|@postalsys\/vmc)\//.test(file),
      ),
      [],
    )
    assert.ok(bundleOf('verify-authentication').octets < 3 * 1024 * 1024)
  })

  test('have the parser as a file of its own beside the drain', () => {
    assert.ok(existsSync(join(bundleOf('drain-mailbox').folder, 'parse.worker.mjs')))
  })
})

test('a function without its environment ends while it starts, and names every variable', async () => {
  const { name, folder } = bundleOf('drain-mailbox')
  const bare = await LambdaFunction.open({ name, folder, environment: {}, timeoutMs: 60_000 })
  try {
    const invocation = await bare.invoke({ Records: [] })

    assert.ok(!invocation.ok)
    for (const variable of ['DEPLOYMENT', 'STATE_BUCKET', 'ARCHIVE_BUCKET', 'DRAIN_QUEUE_URL'])
      assert.match(invocation.errorMessage, new RegExp(`${variable}: missing`))
  } finally {
    await bare.stop()
  }
})

test('a slice of a drain and all that its end may take fit into the time of the function', () => {
  const slice = LAMBDA.sliceMs + DRAIN.closingMs + LAMBDA.reserveMs
  assert.ok(slice < FUNCTIONS['drain-mailbox'].timeoutSeconds * 1000)
  assert.ok(LAMBDA.probeMs + LAMBDA.reserveMs < FUNCTIONS['probe-mailboxes'].timeoutSeconds * 1000)
  assert.ok(DRAIN.closingMs < LAMBDA.leastMs)
})
