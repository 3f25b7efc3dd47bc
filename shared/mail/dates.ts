import { withoutComments } from './comments.ts'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** Obsolete zones with a meaning (RFC 5322, 4.3). All others, the military letters too, say nothing about the offset. */
const ZONES: Readonly<Record<string, string>> = {
  ut: '+00:00',
  utc: '+00:00',
  gmt: '+00:00',
  est: '-05:00',
  edt: '-04:00',
  cst: '-06:00',
  cdt: '-05:00',
  mst: '-07:00',
  mdt: '-06:00',
  pst: '-08:00',
  pdt: '-07:00',
}

const TIME = String.raw`(\d{1,2})\s*[:.]\s*(\d{1,2})(?:\s*[:.]\s*(\d{1,2}))?(?:\.\d{1,9})?`
const ZONE = String.raw`(?:\s*((?:GMT|UTC?)?[+-]\d{1,2}:?\d{2}|[A-Za-z]{1,5}))?`
/** `Tue, 24 Nov 2026 10:58:55 +0100`, with what RFC 5322, 4.3 allows and what is found besides. */
const STANDARD = new RegExp(
  String.raw`^(?:[A-Za-z]{2,9}[,.]?\s*)?(\d{1,2})[\s-]+([A-Za-z]{3,9})\.?[\s,-]+(\d{2,4}),?\s+${TIME}${ZONE}`,
)
/** `Tue Nov 24 10:58:55 2026`, the asctime() of old mailers, with a zone before or after the year. */
const ASCTIME = new RegExp(
  String.raw`^[A-Za-z]{3,9},?\s+([A-Za-z]{3,9})\s+(\d{1,2})\s+${TIME}(?:\s+([A-Za-z]{1,5}))?\s+(\d{4})${ZONE}`,
)

/**
 * A Date field (RFC 5322, 3.3 and 4.3) in ISO 8601 with the sender's offset; `Z` when the sender does not say its own
 * offset (-0000, a zone without meaning, none). Undefined for what is no date.
 */
export function isoDate(value: string): string | undefined {
  const text = withoutComments(value.slice(0, 256)).trim()
  const standard = STANDARD.exec(text)
  if (standard) {
    const [, day, month, year, hour, minute, second, zone] = standard
    return compose(year, month, day, hour, minute, second, zone)
  }
  const asctime = ASCTIME.exec(text)
  if (asctime) {
    const [, month, day, hour, minute, second, before, year, after] = asctime
    return compose(year, month, day, hour, minute, second, after ?? before)
  }
  return undefined
}

type Digits = string | undefined

function compose(
  year: Digits,
  month: Digits,
  day: Digits,
  hour: Digits,
  minute: Digits,
  second: Digits,
  zone: Digits,
): string | undefined {
  const monthIndex = MONTHS.indexOf((month ?? '').slice(0, 3).toLowerCase())
  const fullYear = century(year ?? '')
  const offset = isoOffset(zone)
  const seconds = Math.min(Number(second ?? 0), 59)
  if (monthIndex < 0 || fullYear < 1900 || offset === undefined) return undefined
  if (Number(second ?? 0) > 60 || Number(minute) > 59 || Number(hour) > 23) return undefined
  const date = new Date(Date.UTC(fullYear, monthIndex, Number(day), Number(hour), Number(minute), seconds))
  if (date.getUTCDate() !== Number(day)) return undefined
  return `${date.toISOString().slice(0, 19)}${offset}`
}

/** Two digits: 1950 to 2049; three: from 1900 (RFC 5322, 4.3). */
function century(year: string): number {
  const number = Number(year)
  if (year.length === 2) return number + (number < 50 ? 2000 : 1900)
  return year.length === 3 ? number + 1900 : number
}

function isoOffset(zone: string | undefined): string | undefined {
  const match = /^(?:GMT|UTC?)?([+-])(\d{1,2}):?(\d{2})$/i.exec(zone ?? '')
  if (!match) return ZONES[(zone ?? '').toLowerCase()] ?? 'Z'
  const [, sign, hours = '', minutes = ''] = match
  if (sign === '-' && Number(hours) === 0 && minutes === '00') return 'Z'
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined
  return `${sign}${hours.padStart(2, '0')}:${minutes}`
}
