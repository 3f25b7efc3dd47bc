import { encodeApplied } from '../../shared/contract/applied.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { countOf } from './output.ts'
import type { Run } from './run.ts'

/** Stores the configuration where the Lambdas read it, unless somebody else has stored another one meanwhile. */
export async function applyCommand(run: Run): Promise<void> {
  const { output, settings, stores, options } = run
  if (!stores.state)
    throw new ConfigurationError(options.config, [
      'state.bucket: missing; expected the bucket that the Lambdas read, or run with --stack NAME',
    ])
  const { config, authorities } = settings
  const content = Buffer.from(encodeApplied({ v: 1, config, authorities }))
  const current = await stores.state.read(MAILBOXES_KEY)
  const changed = !current?.content.equals(content)
  if (changed && !(await stores.state.write(MAILBOXES_KEY, content, current?.revision))) {
    output.problem(
      'apply',
      new Error('somebody else applied a configuration at the same moment; look at it and apply again'),
    )
    return
  }
  output.result({ mailboxes: config.mailboxes.length, changed }, () =>
    changed ? `Applied: ${countOf(config.mailboxes.length, 'mailbox', 'mailboxes')}.` : 'Nothing changed.',
  )
}
