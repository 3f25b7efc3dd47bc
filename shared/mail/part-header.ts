import libmime from 'libmime'
import { PARSER } from '../limits.ts'
import { type Bounds, oneLine } from './clean-text.ts'
import { decodeEncodedWords } from './encoded-words.ts'
import { safeFileName } from './file-name.ts'
import type { HeaderFields } from './header-fields.ts'
import type { Place } from './mime-scanner.ts'

/** What the MIME fields of a part say (RFC 2045, RFC 2183), with the defaults that the standards give. */
export interface PartHeader {
  /** Lower case, `type/subtype`. */
  readonly type: string
  readonly parameter: (name: string) => string | undefined
  readonly disposition: 'attachment' | 'inline'
  /** Safe to give to a file. */
  readonly name: string | undefined
  /** As declared, on one line. */
  readonly declaredName: string | undefined
  readonly contentId: string | undefined
  /** Lower case; '' when absent. */
  readonly encoding: string
}

/** `multipart/mixed boundary=x`, without the semicolon between the two. */
const MISSING_SEMICOLON = /^(\s*[^\s;/"]+\/[^\s;"]+)\s+(?=[\w*-]+=)/

const MEDIA_TYPE = /^[\w!#$&^.+%'*`{|}~-]+\/[\w!#$&^.+%'*`{|}~-]+$/

export function readPartHeader(fields: HeaderFields, place: Place, bounds: Bounds): PartHeader {
  const disposition = parameters(fields.first('content-disposition'))
  const attached = disposition !== undefined && !/^(?:inline)?$/i.test(disposition.value.trim())
  const content = parameters(fields.first('content-type')?.replace(MISSING_SEMICOLON, '$1; '))
  const declared = parameter(disposition, 'filename') ?? parameter(content, 'name') ?? ''
  const name = declared === '' ? undefined : safeFileName(declared)
  return {
    type: mediaType(content?.value, place, attached || name !== undefined),
    parameter: (name) => content?.params[name],
    disposition: attached ? 'attachment' : 'inline',
    name,
    declaredName: bounds.text(oneLine(declared)) || undefined,
    contentId: contentId(fields.first('content-id'), bounds),
    encoding: encodingToken(fields.first('content-transfer-encoding')),
  }
}

interface Parameters {
  readonly value: string
  readonly params: Readonly<Record<string, string>>
  /** Those of RFC 2231, which are text already. */
  readonly decodedParams: readonly string[]
}

function parameters(value: string | undefined): Parameters | undefined {
  if (value === undefined) return undefined
  const bounded = value.slice(0, PARSER.partHeaderOctets)
  return plainParameters(bounded) ?? libmime.parseHeaderValue(bounded, { stripComments: true })
}

const PLAIN_VALUE = /[\w!#$&^.+/-]{1,255}/y
const PLAIN_PARAMETER = /; ?([a-z-]{1,40})=(?:"([^"\\]{0,1000})"|([\w!#$&^.+/-]{1,255}))/y

/** `type/subtype; name=token; name="text"`, as most are written; undefined for anything else. */
function plainParameters(value: string): Parameters | undefined {
  PLAIN_VALUE.lastIndex = 0
  const [kept] = PLAIN_VALUE.exec(value) ?? []
  if (kept === undefined) return undefined
  const params: Record<string, string> = {}
  let at = kept.length
  while (at < value.length) {
    PLAIN_PARAMETER.lastIndex = at
    const found = PLAIN_PARAMETER.exec(value)
    if (!found) return undefined
    const [all, name = '', quoted, token] = found
    if (!Object.hasOwn(params, name)) params[name] = quoted ?? token ?? ''
    at += all.length
  }
  return { value: kept, params, decodedParams: [] }
}

/** A parameter as text: RFC 2231, or what is written instead, encoded words in quotes. */
function parameter(from: Parameters | undefined, name: string): string | undefined {
  const value = from?.params[name]
  if (!value) return undefined
  return from?.decodedParams.includes(name) ? value : decodeEncodedWords(value)
}

/**
 * Default text/plain, message/rfc822 in a digest (RFC 2046, 5.1.5); text/plain too when the field is invalid (RFC 2045, 5.2),
 * but what has the marks of a file is one.
 */
function mediaType(value: string | undefined, place: Place, file: boolean): string {
  const type = (value ?? '').trim().toLowerCase()
  if (MEDIA_TYPE.test(type) && type.length <= 255) return type
  if (place.within === 'digest' && !type) return 'message/rfc822'
  return file ? 'application/octet-stream' : 'text/plain'
}

/** A few mailers quote it or add a parameter or comment, which RFC 2045, 6.1 does not allow; the token counts. */
function encodingToken(value: string | undefined): string {
  return (/^[\s"]*([^\s";(]*)/.exec(value ?? '')?.[1] ?? '').toLowerCase()
}

function contentId(value: string | undefined, bounds: Bounds): string | undefined {
  const id = decodeEncodedWords(value ?? '').replace(/^<|>$/g, '')
  return id ? bounds.text(id) : undefined
}
