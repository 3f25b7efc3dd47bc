import { durationMs } from '../../shared/contract/config.ts'
import { type Deployment, deploymentOf } from '../../shared/contract/deployment.ts'
import { PRICES_AS_OF } from '../../shared/contract/prices.ts'
import { parseSqsAddress } from '../../shared/contract/queue-address.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { type Cost, estimateCost, MONTH_SECONDS, type Usage } from '../../shared/operations/cost.ts'
import { countOf, countText, type Output, octetsText, table } from './output.ts'
import type { CommonOptions } from './run.ts'
import { readSettings } from './settings.ts'

export interface CostOptions extends CommonOptions {
  readonly mailboxes?: number
  readonly every?: string
  readonly messages: number
  readonly size: number
  readonly months: number
  readonly relay?: boolean
}

/** One task holds so many mailboxes. */
const MAILBOXES_PER_SHARD = 2000

/** Says what a deployment would cost a month: of the configuration, or of a number of mailboxes, for which none is needed. Asks nobody. */
export async function costCommand(output: Output, options: CostOptions): Promise<void> {
  const usage =
    options.mailboxes === undefined ? ofConfiguration(options) : ofNumber(options.mailboxes, options)
  const cost = estimateCost(usage)
  output.result({ pricesAsOf: PRICES_AS_OF, currency: 'USD', usage, cost }, () => costText(usage, cost))
}

function ofConfiguration(options: CostOptions): Usage {
  const { config } = readSettings(options.config)
  const intervals = config.mailboxes.map(({ every }) => options.every ?? every)
  const addresses = Object.values(config.queues).map(parseSqsAddress)
  const made = addresses.filter((address) => address?.url === undefined && address?.account === undefined)
  return usageOf(options, deploymentOf(config), intervals, made.length)
}

function ofNumber(mailboxes: number, options: CostOptions): Usage {
  const intervals = Array.from({ length: mailboxes }, () => options.every ?? '5m')
  return usageOf(options, deploymentOf({}), intervals, 1)
}

function usageOf(
  { messages, size, months, relay }: CostOptions,
  aws: Deployment,
  intervals: readonly string[],
  queues: number,
): Usage {
  const shards = Math.max(aws.relay.shards, Math.ceil(intervals.length / MAILBOXES_PER_SHARD))
  return {
    mailboxes: intervals.length,
    looks: intervals.reduce((looks, every) => looks + (MONTH_SECONDS * 1000) / interval(every), 0),
    messages,
    octets: size,
    months,
    queues,
    ownKeys: aws.encryption === 'kms',
    relay: relay || aws.relay.enabled ? { ...aws.relay, shards } : undefined,
    staticAddress: aws.network.staticAddress,
    drainMemoryMib: aws.drains.memoryMib,
  }
}

function interval(every: string): number {
  try {
    return durationMs(every)
  } catch {
    throw new ConfigurationError('--every', [
      `${every} is not a duration; expected a number and a unit: 90s, 5m, 1h or 1d`,
    ])
  }
}

const PARTS: Readonly<Record<keyof Cost, string>> = {
  standing: 'keys, alarms, dashboard, metrics, ticks, seals',
  relay: 'the relay: tasks and addresses',
  network: 'NAT gateway, address, mail through it',
  looks: 'looking whether there is mail',
  mail: 'draining, archiving, announcing',
  logs: 'logs',
  storage: 'mail and ledgers kept',
  total: 'together',
}

function costText(usage: Usage, cost: Cost): string {
  const { mailboxes, looks, messages, octets, months } = usage
  const rows = (Object.keys(PARTS) as (keyof Cost)[])
    .filter((part) => cost[part] > 0)
    .map((part) => [cost[part].toFixed(2).padStart(10), PARTS[part]])
  return [
    `${countOf(mailboxes, 'mailbox', 'mailboxes')}, looked at ${countText(Math.round(looks))} times a month; ${countOf(messages, 'message')} of ${octetsText(octets)} a month, ${countOf(months, 'month')} of mail kept.`,
    `USD a month, list prices of ${PRICES_AS_OF} in us-east-1, without free tiers:`,
    table(rows),
  ].join('\n')
}
