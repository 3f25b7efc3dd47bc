// List prices in USD, us-east-1, without free tiers. For estimates alone; other regions differ by up to a third.

/** When they were looked up. */
export const PRICES_AS_OF = '2026-11-22'

export const PRICES = {
  /** arm64, to 7.5 billion GB-seconds a month. */
  lambdaGigabyteSecond: 0.000_013_333_4,
  lambdaRequest: 0.000_000_2,
  /** Also of a listing. */
  s3Put: 0.000_005,
  s3Get: 0.000_000_4,
  s3GigabyteMonth: 0.023,
  /** One request: a batch of up to 10 messages and 64 KiB. */
  sqsRequest: 0.000_000_4,
  schedulerCall: 0.000_001,
  kmsKeyMonth: 1,
  kmsRequest: 0.000_003,
  /** Of an elliptic curve: signatures and public keys. */
  kmsSigningRequest: 0.000_015,
  logGigabyte: 0.5,
  metricMonth: 0.3,
  alarmMonth: 0.1,
  dashboardMonth: 3,
  /** Of ledgers that a search scans; a query counts as 10 MB at least. */
  athenaTerabyte: 5,
  /** arm64. */
  fargateCpuHour: 0.032_38,
  fargateGigabyteHour: 0.003_56,
  publicAddressHour: 0.005,
  natGatewayHour: 0.045,
  natGigabyte: 0.045,
} as const

/** A message is one PUT, and a tenth of each of three requests to SQS: sent, received and deleted in batches of ten. */
export const PRICE_OF_A_MESSAGE = PRICES.s3Put + (3 / 10) * PRICES.sqsRequest

const ATHENA_LEAST_OCTETS = 10_000_000

/** Of one query that scanned so much. */
export function priceOfScan(octets: number): number {
  return (Math.max(octets, ATHENA_LEAST_OCTETS) / 1e12) * PRICES.athenaTerabyte
}
