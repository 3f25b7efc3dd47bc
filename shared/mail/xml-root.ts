/** The element that an XML document consists of, by its start tag. */
export interface XmlRoot {
  /** Without its prefix. */
  readonly name: string
  /** As the start tag itself declares it. */
  readonly namespace: string | undefined
  /** Where the `>` of the tag is; -1 when the text ends before it. */
  readonly end: number
}

const NAME = /(?:([\w.-]+):)?([\w.-]+)/y

/**
 * Finds the root element of a text that is XML, behind a declaration, comments, instructions and a document type; undefined where something
 * else stands. One pass by searches; nothing is resolved, so that entities and references to elsewhere do nothing.
 */
export function xmlRoot(xml: string): XmlRoot | undefined {
  let at = firstTag(xml, 0)
  // They end before the root begins.
  while (at >= 0 && (xml[at + 1] === '?' || xml[at + 1] === '!')) {
    const end = xml.startsWith('<!--', at) ? xml.indexOf('-->', at + 4) : xml.indexOf('>', at)
    at = end < 0 ? -1 : xml.indexOf('<', end)
  }
  if (at < 0) return undefined
  NAME.lastIndex = at + 1
  const [, prefix, name] = NAME.exec(xml) ?? []
  if (name === undefined) return undefined
  const end = xml.indexOf('>', at)
  const attributes = xml.slice(NAME.lastIndex, end < 0 ? undefined : end)
  return { name, namespace: attribute(attributes, prefix ? `xmlns:${prefix}` : 'xmlns'), end }
}

/** A document begins with a tag, perhaps behind white space; -1 for what does not. */
function firstTag(xml: string, from: number): number {
  let at = from
  while (xml[at] === ' ' || xml[at] === '\n' || xml[at] === '\r' || xml[at] === '\t') at++
  return xml[at] === '<' ? at : -1
}

const VALUE = /\s*=\s*(?:"([^"]*)"|'([^']*)')/y

function attribute(attributes: string, name: string): string | undefined {
  for (let at = attributes.indexOf(name); at >= 0; at = attributes.indexOf(name, at + 1)) {
    VALUE.lastIndex = at + name.length
    const value = VALUE.exec(attributes)
    if (value) return value[1] ?? value[2]
  }
  return undefined
}
