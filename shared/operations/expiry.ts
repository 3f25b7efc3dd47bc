import { X509Certificate } from 'node:crypto'
import type { MailboxId } from '../contract/ids.ts'
import { NOTICE_DAYS } from '../contract/metrics.ts'
import type { Expiry, Login } from '../credentials/credentials.ts'
import { IngestError } from '../errors.ts'

// What a mailbox signs in with, and what runs out. Most outages of mail fetchers are secrets that expired unnoticed.

export interface ExpiryNotice {
  readonly what: Expiry['what'] | 'private CA'
  /** ISO 8601. */
  readonly at: string
  /** Whole days that are left; below 0 when it has run out. */
  readonly days: number
  /** Of NOTICE_DAYS the one that was reached; 0 when it has run out. */
  readonly within: 0 | (typeof NOTICE_DAYS)[number]
}

const DAY_MS = 86_400_000

/** What a mailbox signs in with, and the authority (PEM) that it trusts. */
export interface Perishable {
  readonly login: Pick<Login, 'expiries'>
  readonly authority: string | undefined
}

/** Of a mailbox what runs out within 30 days, or has done so. A secret that cannot be read is told by the log-in, and not here. */
export async function expiringOf(
  { login, authority }: Perishable,
  now: Date,
): Promise<readonly ExpiryNotice[]> {
  const secrets = await login.expiries().catch((error: unknown) => {
    if (!(error instanceof IngestError)) throw error
    return []
  })
  const end = authority === undefined ? undefined : authorityEnd(authority)
  return expiryNotices([...secrets, ...(end ? [{ what: 'private CA', at: end } as const] : [])], now)
}

/** What runs out within 30 days or has done so, the most urgent first. */
export function expiryNotices(
  expiries: readonly { readonly what: ExpiryNotice['what']; readonly at: Date }[],
  now: Date,
): readonly ExpiryNotice[] {
  return expiries
    .flatMap(({ what, at }) => {
      const leftMs = at.getTime() - now.getTime()
      const within: ExpiryNotice['within'] | undefined =
        leftMs <= 0 ? 0 : NOTICE_DAYS.find((days) => leftMs <= days * DAY_MS)
      return within === undefined
        ? []
        : [{ what, at: at.toISOString(), days: Math.floor(leftMs / DAY_MS), within }]
    })
    .sort((a, b) => a.at.localeCompare(b.at))
}

/** Passes on of the notices of a mailbox those that it has not passed on before: each once, and once more when it has become more urgent. */
export function onlyNews(): (
  mailbox: MailboxId,
  notices: readonly ExpiryNotice[],
) => readonly ExpiryNotice[] {
  const passed = new Set<string>()
  return (mailbox, notices) =>
    notices.filter(({ what, at, within }) => {
      const key = [mailbox, what, at, within].join(' ')
      return !passed.has(key) && passed.add(key)
    })
}

/** One sentence for people. */
export function expiryText({ what, at, days, within }: ExpiryNotice): string {
  const day = at.slice(0, 10)
  if (within === 0) return `the ${what} has expired on ${day}`
  return `the ${what} expires on ${day}, in ${days === 0 ? 'less than a day' : days === 1 ? '1 day' : `${days} days`}`
}

/** When the first certificate in a PEM ends; undefined for one that cannot be read. */
export function authorityEnd(pem: string): Date | undefined {
  const ends = [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].flatMap(
    ([block]) => {
      try {
        return [new Date(new X509Certificate(block).validTo)]
      } catch {
        return []
      }
    },
  )
  return ends.sort((a, b) => a.getTime() - b.getTime())[0]
}
