import type { CalendarData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { cut, oneLine } from './clean-text.ts'

interface Line {
  readonly name: string
  readonly zone: string | undefined
  readonly value: string
}

/** Components of an iTIP message (RFC 5546); a time zone has dates too, of its rules. */
const COMPONENTS = new Set(['VEVENT', 'VTODO', 'VJOURNAL', 'VFREEBUSY'])

/**
 * What the first component of an iCalendar object says (RFC 5545): whom to meet when, and which earlier message is meant. `method` is what
 * the part says of itself, where the object does not. Lines are read once; recurrences are told and not computed.
 */
export function readCalendar(text: string, method: string | undefined): CalendarData | undefined {
  const open: string[] = []
  const found = new Map<string, Line>()
  let inside = false
  let said = method
  for (const line of contentLines(text)) {
    if (line.name === 'BEGIN') {
      open.push(line.value.toUpperCase())
      inside ||= COMPONENTS.has(open.at(-1) ?? '')
    } else if (line.name === 'END') {
      const ended = open.pop() ?? ''
      if (COMPONENTS.has(ended)) break
    } else if (open.length === 1 && line.name === 'METHOD') said = line.value
    else if (COMPONENTS.has(open.at(-1) ?? '') && !found.has(line.name)) found.set(line.name, line)
  }
  if (!inside) return undefined
  const start = found.get('DTSTART')
  const end = found.get('DTEND') ?? found.get('DUE')
  return {
    ...entry('method', said?.toUpperCase()),
    ...entry('uid', found.get('UID')?.value),
    ...entry('summary', unescaped(found.get('SUMMARY')?.value)),
    ...entry('start', start?.value),
    ...entry('startZone', start?.zone),
    ...entry('end', end?.value),
    ...entry('endZone', end?.zone),
    ...(found.has('RRULE') || found.has('RDATE') ? { recurs: true } : {}),
  }
}

function entry<Name extends keyof CalendarData>(name: Name, value: string | undefined) {
  const text = value === undefined ? '' : cut(oneLine(value), PARSER.headerCharacters)
  return (text === '' ? {} : { [name]: text }) as Pick<CalendarData, Name>
}

/** `NAME;PARAMETER=value:value`, unfolded (RFC 5545, 3.1). */
function* contentLines(text: string): Generator<Line> {
  for (const line of text.replace(/\r?\n[ \t]/g, '').split(/\r\n|\n|\r/)) {
    const head = /^([A-Za-z-]{1,40})((?:;[A-Za-z-]{1,40}=(?:"[^"]*"|[^":;]*))*):/.exec(line)
    if (!head) continue
    const [all, name = '', parameters = ''] = head
    const zone = /;TZID=(?:"([^"]*)"|([^";]*))/i.exec(parameters)
    yield { name: name.toUpperCase(), zone: zone?.[1] ?? zone?.[2], value: line.slice(all.length).trim() }
  }
}

/** RFC 5545, 3.3.11. */
function unescaped(value: string | undefined): string | undefined {
  return value?.replace(/\\([\\;,nN])/g, (_, character: string) =>
    character.toLowerCase() === 'n' ? ' ' : character,
  )
}
