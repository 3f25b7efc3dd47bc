import type { Verification } from '../../shared/contract/authentication.ts'
import { parseRawKey } from '../../shared/contract/object-key.ts'
import { oneMessage } from './one-message.ts'
import { countOf, printable } from './output.ts'
import type { Run } from './run.ts'

/** What was found of a message when it came, and whether message and evidence still give the same. DNS is not asked. */
export async function authenticationCommand(run: Run, id: string): Promise<void> {
  const { output, stores } = run
  const facts = await oneMessage(run, 'archive authentication', id)
  const named = facts && parseRawKey(facts.key)
  if (!named) return
  const { mailbox, sha256 } = named
  // Loaded here, for no other command needs what verifies.
  const { verifyAgain } = await import('../../shared/operations/verify-again.ts')
  const again = await verifyAgain(mailbox, sha256, stores.archive)
  if (!again) {
    output.problem(`${mailbox}/${sha256}`, new Error('it was not verified when it came'))
    return
  }
  const { evidence, confirmed } = again
  const { header, answers } = evidence
  output.result({ ...header, answers, confirmed }, () =>
    [
      ...linesOf(header),
      `Verified ${header.verifiedAt} by ${header.verifier} with ${countOf(answers.length, 'answer')} of DNS, which are kept.`,
      ...(confirmed ? ['Confirmed: the message gives the same with them today.'] : []),
    ].join('\n'),
  )
  if (!confirmed)
    output.problem(
      `${mailbox}/${sha256}`,
      new Error(
        `not confirmed: message and evidence give ${linesOf(again.verification).join('; ')}; look whether it was another version that verified (${header.verifier})`,
      ),
    )
}

function linesOf({ dkim, spf, dmarc, arc }: Verification): string[] {
  return [
    ...dkim.map(({ result, domain, selector, reason }) => line('dkim', result, { domain, selector, reason })),
    line('spf', spf.result, { client: spf.clientAddress, domain: spf.domain, reason: spf.reason }),
    line('dmarc', dmarc.result, { domain: dmarc.domain, policy: dmarc.policy, reason: dmarc.reason }),
    line('arc', arc.result, { reason: arc.reason }),
  ]
}

function line(method: string, result: string, facts: Readonly<Record<string, string | undefined>>): string {
  const told = Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${value}`,
  )
  return printable([`${method}=${result}`, ...told].join(' '))
}
