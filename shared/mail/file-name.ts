import { PARSER } from '../limits.ts'

/** Marks that change the direction or hide: they can make `exe.pdf` of `fdp.exe`. */
const DECEPTIVE = /\u034f|[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g

/** What Windows does not take in a name; the slashes are gone by then. */
const FORBIDDEN = /[<>:"|?*]/g

/** Devices of Windows, with any ending (Microsoft, "Naming Files, Paths, and Namespaces"). */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\.|$)/i

/**
 * A declared file name as one that may be given to a file on any system: the last component of a path, without controls and
 * deceptive marks, with `_` for what Windows refuses and before what would be hidden or a device, at most
 * PARSER.fileNameOctets in UTF-8 with its ending kept. Undefined when nothing is left. Two names may become one.
 */
export function safeFileName(declared: string): string | undefined {
  const clean = declared.toWellFormed().replace(CONTROLS, '').replace(DECEPTIVE, '')
  const last = clean.slice(Math.max(clean.lastIndexOf('/'), clean.lastIndexOf('\\')) + 1)
  const name = withoutEndingDots(last.normalize('NFC').replace(FORBIDDEN, '_').trim())
  if (name === '') return undefined
  return shortened(name.startsWith('.') || RESERVED.test(name) ? `_${name}` : name)
}

/** Windows drops them, so that `a.exe.` would be `a.exe`. Not by a pattern, which would try a run of dots from each of its characters. */
function withoutEndingDots(name: string): string {
  let end = name.length
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end--
  return name.slice(0, end)
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= PARSER.fileNameOctets) return name
  const dot = name.lastIndexOf('.')
  const ending = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : ''
  const room = PARSER.fileNameOctets - Buffer.byteLength(ending)
  let stem = ''
  let octets = 0
  for (const character of name) {
    octets += Buffer.byteLength(character)
    if (octets > room) break
    stem += character
  }
  return withoutEndingDots(stem + ending)
}
