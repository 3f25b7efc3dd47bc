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

const TIME = String.raw`(?<hour>\d{1,2})\s*[:.]\s*(?<minute>\d{1,2})(?:\s*[:.]\s*(?<second>\d{1,2}))?(?:\.\d{1,9})?(?:\s*(?<half>[AP])\.?M\b\.?)?`
const ZONE = String.raw`(?:\s*(?<zone>(?:GMT|UTC?)?[+-]\d{1,2}:?\d{2}|[A-Z]{1,5}))?`
/** `Tue, 24 Nov 2026 10:58:55 +0100`, with what RFC 5322, 4.3 allows and what is found besides. */
const STANDARD = new RegExp(
  String.raw`^(?:[A-Z]{2,9}[,.]?\s*)?(?<day>\d{1,2})[\s-]+(?<month>[A-Z]{3,9})\.?[\s,-]+(?<year>\d{2,4}),?\s+${TIME}${ZONE}`,
  'i',
)
/** `Tue Nov 24 10:58:55 2026`, the asctime() of old mailers, with a zone before or after the year. */
const ASCTIME = new RegExp(
  String.raw`^[A-Z]{3,9},?\s+(?<month>[A-Z]{3,9})\s+(?<day>\d{1,2})\s+${TIME}(?:\s+(?<before>[A-Z]{1,5}))?\s+(?<year>\d{4})${ZONE}`,
  'i',
)

/**
 * A Date field (RFC 5322, 3.3 and 4.3) in ISO 8601 with the sender's offset; `Z` when the sender does not say its own
 * offset (-0000, a zone without meaning, none). Undefined for what is no date.
 */
export function isoDate(value: string): string | undefined {
  const text = withoutComments(value.slice(0, 256)).trim()
  const found = (STANDARD.exec(text) ?? ASCTIME.exec(text))?.groups
  return found && compose(found)
}

function compose(found: Readonly<Record<string, string | undefined>>): string | undefined {
  const { year = '', month = '', second = '0', half, zone, before } = found
  const [day, minute, writtenHour] = [found.day, found.minute, found.hour].map(Number) as [
    number,
    number,
    number,
  ]
  const hour = half === undefined ? writtenHour : hourOfDay(writtenHour, half)
  const monthIndex = MONTHS.indexOf(month.slice(0, 3).toLowerCase())
  const fullYear = century(year)
  const offset = isoOffset(zone ?? before)
  if (monthIndex < 0 || fullYear < 1900 || offset === undefined) return undefined
  // A leap second is written as the second before it, for clocks of consumers do not know it.
  if (Number(second) > 60 || minute > 59 || hour === undefined || hour > 23) return undefined
  if (day < 1 || day > daysIn(fullYear, monthIndex)) return undefined
  return `${digits(fullYear, 4)}-${digits(monthIndex + 1, 2)}-${digits(day, 2)}T${digits(hour, 2)}:${digits(minute, 2)}:${digits(Math.min(Number(second), 59), 2)}${offset}`
}

function daysIn(year: number, monthIndex: number): number {
  if (monthIndex === 1) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [3, 5, 8, 10].includes(monthIndex) ? 30 : 31
}

function digits(number: number, length: number): string {
  return String(number).padStart(length, '0')
}

/** The twelve-hour clock, which no standard has and some programs write: 12 AM is midnight. */
function hourOfDay(hour: number, half: string): number | undefined {
  if (hour < 1 || hour > 12) return undefined
  return (hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0)
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
