import { MAILBOX_ALARMS_MOST } from '../contract/alarms.ts'
import { FUNCTIONS, type FunctionName } from '../contract/functions.ts'
import { PRICE_OF_A_MESSAGE, PRICES } from '../contract/prices.ts'
import { LAMBDA } from '../limits.ts'

// What a deployment costs in AWS, from what it is used for. An estimate: what the functions ask for is counted by
// test/functions/cost-basis.test.ts; what depends on mail servers is assumed.

/** A month, as AWS reckons. */
const MONTH_HOURS = 730
export const MONTH_SECONDS: number = MONTH_HOURS * 3600
const GIGABYTE = 1_000_000_000

export interface Usage {
  readonly mailboxes: number
  /** Times a month that mailboxes are looked at, all together. */
  readonly looks: number
  /** Messages a month, all together. */
  readonly messages: number
  /** Of one message, on average. */
  readonly octets: number
  /** Months of mail that are stored. */
  readonly months: number
  /** Event queues that the stack makes. */
  readonly queues: number
  /** Keys of its own, for mail and for logs, besides the one that signs seals. */
  readonly ownKeys: boolean
  readonly relay: { readonly shards: number; readonly cpu: number; readonly memoryMib: number } | undefined
  readonly staticAddress: boolean
  readonly drainMemoryMib: number
}

/** USD a month. */
export interface Cost {
  /** Keys, alarms, dashboard, metrics, ticks, a seal a day and the polling of queues: also when no mail comes. */
  readonly standing: number
  /** Tasks and their addresses. */
  readonly relay: number
  /** NAT gateway, its address, and the mail that is fetched through it. */
  readonly network: number
  /** Looking whether there is mail. */
  readonly looks: number
  /** Draining, archiving and announcing it. */
  readonly mail: number
  /** Written by the functions, with their metrics. */
  readonly logs: number
  /** Mail and ledgers, none of it moved to colder storage. */
  readonly storage: number
  readonly total: number
}

/** Requests, and octets of log with the metrics in it. */
export const ASKED = {
  tick: { gets: 1, sqs: 1, logOctets: 800 },
  /** Of a group, besides its looks. SQS: received, deleted, drains asked for. */
  probe: { gets: 1, sqs: 3, logOctets: 800 },
  look: { gets: 4, lists: 0, logOctets: 50 },
  /** Besides its messages, and the check of the bucket: a function that is busy makes it once in five minutes. */
  drain: { gets: 5, puts: 2, lists: 0, sqs: 3, logOctets: 1500 },
  /** Of a segment, where no case is open. */
  hold: { gets: 2, puts: 1, lists: 2, sqs: 3, logOctets: 900 },
  /** Of a day on which mail came, and of each ledger on it; each segment that is sealed is read besides. */
  seal: { gets: 3, puts: 2, lists: 2, logOctets: 800 },
  ledgerToSeal: { gets: 2, lists: 3 },
} as const

/** Metrics that the functions write when all is well. */
export const METRICS_WRITTEN = 11

/** Besides those of mailboxes, and one for each event queue. */
export const ALARMS_STANDING = 19

/** Seconds, with servers that answer in some hundred milliseconds. */
const ASSUMED = {
  tick: 0.3,
  /** A group waits for its slowest server. */
  probe: 3,
  drain: 3,
  /** Comparing its segment with open cases, of which there is none. */
  hold: 1,
  message: 1 / 20,
  /** A day's seal, and each ledger that is looked at for it: five requests, one after the other. */
  seal: 2,
  ledgerToSeal: 1 / 10,
  /** Octets of a message in the ledger. */
  ledger: 600,
  /** Of Lambda, a second, for each queue: five connections that wait 20 s each. */
  polls: 5 / 20,
} as const

export function estimateCost(usage: Usage): Cost {
  const drains = drainsOf(usage)
  const probes = usage.looks / LAMBDA.mailboxesPerProbe
  const parts = {
    standing: standingCost(usage),
    relay: relayCost(usage),
    network: networkCost(usage),
    looks: looksCost(usage.looks, probes),
    mail: mailCost(usage, drains),
    logs: logsCost(usage.looks, probes, drains),
    storage: gigabytes(usage.messages * usage.months, usage.octets + ASSUMED.ledger) * PRICES.s3GigabyteMonth,
  }
  return { ...parts, total: Object.values(parts).reduce((total, part) => total + part, 0) }
}

/** Looks that find something, where messages come at any time (Poisson); the relay asks for a drain whenever one comes. */
function drainsOf({ looks, messages, relay }: Usage): number {
  return relay || looks === 0 ? messages : looks * (1 - Math.exp(-messages / looks))
}

const TICKS = MONTH_SECONDS / 60
const DAYS = MONTH_HOURS / 24

function standingCost({ mailboxes, queues, ownKeys }: Usage): number {
  const { tick } = ASKED
  const alarms = ALARMS_STANDING + queues + (mailboxes > MAILBOX_ALARMS_MOST ? 1 : mailboxes)
  const queuesAsked = Object.values(FUNCTIONS).filter(
    (each) => 'batchSize' in each && !('optional' in each),
  ).length
  const polls = queuesAsked * ASSUMED.polls * MONTH_SECONDS
  return (
    // The one that signs seals is never S3's.
    (ownKeys ? 3 : 1) * PRICES.kmsKeyMonth +
    DAYS * sealCost(mailboxes) +
    alarms * PRICES.alarmMonth +
    METRICS_WRITTEN * PRICES.metricMonth +
    PRICES.dashboardMonth +
    polls * PRICES.sqsRequest +
    TICKS * (PRICES.schedulerCall + invocationCost('schedule-drains', ASSUMED.tick) + requestsCost(tick))
  )
}

function sealCost(ledgers: number): number {
  const { seal, ledgerToSeal } = ASKED
  return (
    invocationCost('seal-ledgers', ASSUMED.seal + ledgers * ASSUMED.ledgerToSeal) +
    requestsCost(seal) +
    ledgers * requestsCost(ledgerToSeal) +
    2 * PRICES.kmsSigningRequest
  )
}

function relayCost({ relay }: Usage): number {
  if (!relay) return 0
  const { shards, cpu, memoryMib } = relay
  const hour =
    (cpu / 1024) * PRICES.fargateCpuHour +
    (memoryMib / 1024) * PRICES.fargateGigabyteHour +
    PRICES.publicAddressHour
  return shards * MONTH_HOURS * hour
}

function networkCost({ staticAddress, messages, octets }: Usage): number {
  if (!staticAddress) return 0
  return (
    MONTH_HOURS * (PRICES.natGatewayHour + PRICES.publicAddressHour) +
    gigabytes(messages, octets) * PRICES.natGigabyte
  )
}

function looksCost(looks: number, probes: number): number {
  const { probe, look } = ASKED
  return (
    probes * (invocationCost('probe-mailboxes', ASSUMED.probe) + requestsCost(probe)) +
    // The secret of each is decrypted: it is kept for five minutes.
    looks * (requestsCost(look) + PRICES.kmsRequest)
  )
}

function mailCost({ messages, drainMemoryMib }: Usage, drains: number): number {
  const { drain, hold } = ASKED
  return (
    drains *
      (invocationCost('drain-mailbox', ASSUMED.drain, drainMemoryMib) +
        requestsCost(drain) +
        PRICES.kmsRequest +
        invocationCost('hold-new-mail', ASSUMED.hold) +
        requestsCost(hold) +
        // Read once more when it is sealed.
        PRICES.s3Get) +
    messages * (timeCost(ASSUMED.message, drainMemoryMib) + PRICE_OF_A_MESSAGE)
  )
}

function logsCost(looks: number, probes: number, drains: number): number {
  const { tick, probe, look, drain, hold, seal } = ASKED
  const octets =
    TICKS * tick.logOctets +
    DAYS * seal.logOctets +
    probes * probe.logOctets +
    looks * look.logOctets +
    drains * (drain.logOctets + hold.logOctets)
  return (octets / GIGABYTE) * PRICES.logGigabyte
}

function requestsCost({
  gets = 0,
  puts = 0,
  lists = 0,
  sqs = 0,
}: {
  readonly gets?: number
  readonly puts?: number
  readonly lists?: number
  readonly sqs?: number
}): number {
  return gets * PRICES.s3Get + (puts + lists) * PRICES.s3Put + sqs * PRICES.sqsRequest
}

function invocationCost(
  name: FunctionName,
  seconds: number,
  memoryMib: number = FUNCTIONS[name].memoryMib,
): number {
  return PRICES.lambdaRequest + timeCost(seconds, memoryMib)
}

function timeCost(seconds: number, memoryMib: number): number {
  return seconds * (memoryMib / 1024) * PRICES.lambdaGigabyteSecond
}

function gigabytes(messages: number, octets: number): number {
  return (messages * octets) / GIGABYTE
}
