import type { TrustedAuthentication } from '../contract/event.ts'
import { withoutComments } from './comments.ts'

type Result = TrustedAuthentication['results'][number]

/** The setting for a server that writes no id of its own, as Microsoft 365. */
export const NO_AUTHSERV_ID = 'none'

/**
 * What the server with this authserv-id recorded (RFC 8601): in the topmost of its fields alone, for everything that stands below may be what
 * the sender wrote; RFC 8601, 5 has the server remove fields that bear its id. With NO_AUTHSERV_ID the topmost field counts if it names no id.
 * Undefined when there is none, or when no server is trusted.
 */
export function trustedResults(
  fields: readonly string[],
  authservId: string | undefined,
): TrustedAuthentication | undefined {
  if (authservId === undefined) return undefined
  const read = fields.map(readAuthenticationResults)
  if (authservId === NO_AUTHSERV_ID) return read[0]?.authservId === '' ? read[0] : undefined
  return read.find((found) => found.authservId.toLowerCase() === authservId.toLowerCase())
}

/** `mx.example.com; spf=pass smtp.mailfrom=a.example; dkim=fail reason="bad signature" header.d=a.example`, without its comments. */
export function readAuthenticationResults(value: string): TrustedAuthentication {
  const [first = '', ...rest] = statements(withoutComments(value))
  // The id is the server's name, perhaps with a version; a method has an equals sign.
  const [id = ''] = words(first)
  const named = !id.includes('=')
  return {
    authservId: named ? unquoted(id) : '',
    results: (named ? rest : [first, ...rest]).flatMap(resultOf),
  }
}

function resultOf(statement: string): Result[] {
  const [first = '', ...rest] = words(statement)
  const [, method, result] = /^([\w-]+)(?:\/\d+)?=(\S+)$/.exec(first) ?? []
  if (!method || !result) return []
  let reason: string | undefined
  const properties: Record<string, string> = {}
  for (const word of rest) {
    const equals = word.indexOf('=')
    const name = word.slice(0, Math.max(0, equals)).toLowerCase()
    const value = unquoted(word.slice(equals + 1))
    if (name === 'reason') reason = value
    else if (/^[\w-]+\.[\w.-]+$/.test(name)) properties[name] ??= value
  }
  return [
    {
      method: method.toLowerCase(),
      result: unquoted(result).toLowerCase(),
      ...(reason === undefined ? {} : { reason }),
      properties,
    },
  ]
}

/** Between semicolons, but for those in quotes. */
function statements(value: string): string[] {
  return split(value, ';')
}

/** Apart by white space, with none around an equals sign. */
function words(statement: string): string[] {
  const compact = split(statement, '=')
    .map((side) => side.trim())
    .join('=')
  return split(compact.replaceAll('\t', ' '), ' ').filter(Boolean)
}

function split(text: string, separator: string): string[] {
  const found: string[] = []
  let quoted = false
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (quoted && character === '\\') at++
    else if (character === '"') quoted = !quoted
    else if (!quoted && character === separator) {
      found.push(text.slice(from, at))
      from = at + 1
    }
  }
  return [...found, text.slice(from)]
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1') : text
}
