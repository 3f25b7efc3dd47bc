import { createReadStream } from 'node:fs'
import { errnoOf } from '../../shared/archive/file-errors.ts'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import { headerFieldsOf, queuesOf } from '../../shared/contract/routes.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { DRAIN } from '../../shared/limits.ts'
import { trustedResults } from '../../shared/mail/authentication-results.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'
import { openSpool } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import type { Judgement } from '../../shared/route-conditions.ts'
import { explainRoutes, queuesTaken, type RouteJudgement } from '../../shared/routing.ts'
import { type Output, printable } from './output.ts'
import type { CommonOptions } from './run.ts'
import { chosenMailboxes, readConfig } from './settings.ts'

/** Values shown of those that a condition looked at in vain. */
const VALUES_SHOWN = 5

export interface TestRoutesOptions extends CommonOptions {
  readonly mailbox?: string
}

/**
 * Which routes the message in a file would take, and why. Needs the configuration alone, and of it what routes look at: no bucket that it names
 * or leaves out, no queue, no certificate and no password has to be there.
 */
export async function testRoutesCommand(
  output: Output,
  options: TestRoutesOptions,
  [file = '']: readonly string[],
): Promise<void> {
  const config = readConfig(options.config)
  const { routes, mailboxes } = config
  const [chosen] = chosenMailboxes(config, options.mailbox === undefined ? [] : [options.mailbox])
  const { id, authservId } = chosen as MailboxConfig
  const parsed = await parseFile(file, headerFieldsOf(routes))
  const trustedAuthentication = trustedResults(parsed.authentication, authservId)
  const judgements = explainRoutes(routes, { mailbox: id, parsed, trustedAuthentication })
  const queues = queuesTaken(judgements.filter(({ taken }) => taken).map(({ route }) => route))
  for (const [index, { route, ...judgement }] of judgements.entries())
    output.result({ route: index, queues: queuesOf(route), ...judgement }, () =>
      routeText(index, { route, ...judgement }),
    )
  output.result({ mailbox: id, class: parsed.class, parse: parsed.parse.status, queues }, () => {
    const among = mailboxes.length > 1 && options.mailbox === undefined ? ' (--mailbox names another)' : ''
    return `From mailbox ${id}${among} it goes to ${queues.join(' and ')}${judgements.some(({ taken }) => taken) ? '' : ', for no route takes it'}.`
  })
}

async function parseFile(file: string, fields: readonly string[]): Promise<ParsedMessage> {
  const spool = openSpool()
  const parser = openWorkerParser({ workers: 1 })
  try {
    const octets = await spool.collect(createReadStream(file), DRAIN.memoryMessageOctets)
    return await parser.parse(octets, fields)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    throw new ConfigurationError('routes test', [
      `${file} cannot be read: ${error instanceof Error ? error.message : error}; expected a file with one message`,
    ])
  } finally {
    await parser.close()
    await spool.close()
  }
}

function routeText(index: number, { route, reached, taken, conditions }: RouteJudgement): string {
  const verdict = !reached
    ? 'not looked at: a route above takes the message'
    : taken
      ? `takes it${route.continue ? ' and continues' : ''}`
      : 'does not take it'
  const heading = `routes[${index}] to ${queuesOf(route).join(' and ')}: ${verdict}`
  return [heading, ...conditions.flatMap((condition) => judgementLines(condition, '  '))].join('\n')
}

function judgementLines({ condition, holds, wanted, found, parts }: Judgement, indent: string): string[] {
  const mark = holds ? '+' : '-'
  const heading = `${indent}${mark} ${condition}`
  if (parts) return [heading, ...parts.flatMap((part) => judgementLines(part, `${indent}  `))]
  const values = (found ?? []).map((value) => JSON.stringify(printable(value)))
  const more = values.length - VALUES_SHOWN
  const shown = values.slice(0, VALUES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '')
  const verb = holds ? 'matches' : 'finds'
  return [`${heading} ${(wanted ?? []).join(' | ')} ${verb} ${shown || 'nothing'}`]
}
