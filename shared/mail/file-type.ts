import { xmlRoot } from './xml-root.ts'

// What a file is by its first octets, and whether that is what its sender says.

interface Signature {
  readonly at: number
  readonly octets: Buffer
  readonly type: string
}

function signature(type: string, hex: string, at = 0): Signature {
  return { at, octets: Buffer.from(hex.replaceAll(' ', ''), 'hex'), type }
}

function text(type: string, start: string): Signature {
  return { at: 0, octets: Buffer.from(start, 'latin1'), type }
}

export const EXECUTABLE = 'application/vnd.microsoft.portable-executable'
export const OLE = 'application/x-ole-storage'
export const TNEF = 'application/ms-tnef'
export const PDF = 'application/pdf'
export const XML = 'application/xml'

const SIGNATURES: readonly Signature[] = [
  signature('image/png', '89504e470d0a1a0a'),
  signature('image/jpeg', 'ffd8ff'),
  text('image/gif', 'GIF87a'),
  text('image/gif', 'GIF89a'),
  signature('image/tiff', '49492a00'),
  signature('image/tiff', '4d4d002a'),
  signature('image/webp', '57454250', 8),
  signature('image/heic', '6674797068656963', 4),
  signature('video/mp4', '66747970', 4),
  signature(OLE, 'd0cf11e0a1b11ae1'),
  signature(TNEF, '789f3e22'),
  signature('application/gzip', '1f8b'),
  signature('application/x-bzip2', '425a68'),
  signature('application/x-xz', 'fd377a585a00'),
  signature('application/zstd', '28b52ffd'),
  signature('application/x-7z-compressed', '377abcaf271c'),
  signature('application/vnd.rar', '526172211a07'),
  signature('application/vnd.ms-cab-compressed', '4d534346'),
  signature('application/x-tar', '7573746172', 257),
  signature('application/x-ms-shortcut', '4c0000000114020000000000c000000000000046'),
  signature('application/onenote', 'e4525c7b8cd8a74daeb15378d02996d3'),
  signature('application/x-executable', '7f454c46'),
  signature('application/x-mach-binary', 'cffaedfe'),
  text(EXECUTABLE, 'MZ'),
  text('application/rtf', '{\\rtf'),
  text('application/postscript', '%!PS'),
  text('text/x-shellscript', '#!'),
  text('audio/ogg', 'OggS'),
  text('audio/mpeg', 'ID3'),
]

/** By the first words of a text, in lower case. */
const WORDS: readonly (readonly [string, string])[] = [
  ['begin:vcalendar', 'text/calendar'],
  ['begin:vcard', 'text/vcard'],
  ['-----begin pgp', 'application/pgp-encrypted'],
  ['<!doctype html', 'text/html'],
  ['<html', 'text/html'],
  ['<svg', 'image/svg+xml'],
]

/** The media type that the first octets of a file tell, some 4 KiB of them for all it knows; undefined when they tell none. */
export function detectType(start: Buffer): string | undefined {
  // Other software may have put something before it (PDF 1.7, annex H, 3.4.1).
  if (start.subarray(0, 1024).includes('%PDF-')) return PDF
  if (start.length >= 4 && start[0] === 0x50 && start[1] === 0x4b) {
    const zip = zipType(start)
    if (zip) return zip
  }
  const found = SIGNATURES.find(({ at, octets }) => start.subarray(at, at + octets.length).equals(octets))
  return found?.type ?? textType(start)
}

/** Whether the first entry of a ZIP, or a PDF as far as it was looked at, needs a password. */
export function isEncryptedZip(start: Buffer): boolean {
  // General purpose bit 0 of a local header (APPNOTE 4.4.4).
  return start.length >= 8 && start.readUInt32BE(0) === 0x504b0304 && ((start[6] as number) & 1) === 1
}

/** ZIP, or what is one: documents of OpenDocument and EPUB name their type first, those of Office have folders of their own. */
function zipType(start: Buffer): string | undefined {
  const kind = start.readUInt16BE(2)
  if (kind === 0x0506) return 'application/zip'
  if (kind !== 0x0304) return undefined
  const names = start.toString('latin1')
  const mimetype = /^.{26}\x08\0.{2}mimetype([a-z]+\/[\w.+-]+)/s.exec(names)?.[1]
  // What the entry's octets are followed by is the next entry: PK.
  if (mimetype) return mimetype.replace(/PK$/, '')
  if (names.includes('[Content_Types].xml') || names.includes('_rels/.rels')) {
    for (const [folder, type] of OFFICE) if (names.includes(folder)) return type
  }
  if (names.includes('META-INF/MANIFEST.MF')) return 'application/java-archive'
  return 'application/zip'
}

const OPEN_XML = 'application/vnd.openxmlformats-officedocument'
const OFFICE: readonly (readonly [string, string])[] = [
  ['word/', `${OPEN_XML}.wordprocessingml.document`],
  ['xl/', `${OPEN_XML}.spreadsheetml.sheet`],
  ['ppt/', `${OPEN_XML}.presentationml.presentation`],
]

function textType(start: Buffer): string | undefined {
  const words = firstText(start).toLowerCase()
  if (words.startsWith('<?xml') || words.startsWith('<!--')) {
    const root = xmlRoot(words)?.name
    if (root === 'html') return 'text/html'
    if (root === 'svg') return 'image/svg+xml'
    return words.startsWith('<?xml') ? XML : undefined
  }
  return WORDS.find(([begin]) => words.startsWith(begin))?.[1]
}

/** The start of a text in UTF-8 or UTF-16, without the mark of its order and white space. */
export function firstText(start: Buffer): string {
  return decodeUnicode(start).trimStart()
}

/** Whether a text begins with `<`, in any of these encodings: cheaper than to decode what is none. */
export function beginsWithTag(start: Buffer): boolean {
  let at = 0
  while (MARKS_AND_SPACE.has(start[at] ?? -1)) at++
  return start[at] === 0x3c
}

/** The octets of byte order marks and of white space in UTF-8 and UTF-16. */
const MARKS_AND_SPACE = new Set([0xef, 0xbb, 0xbf, 0xfe, 0xff, 0x00, 0x09, 0x0a, 0x0d, 0x20])

export function decodeUnicode(octets: Buffer): string {
  if (octets[0] === 0xff && octets[1] === 0xfe) return octets.subarray(2).toString('utf16le')
  if (octets[0] === 0xfe && octets[1] === 0xff) {
    const even = octets.subarray(2, octets.length - (octets.length % 2))
    return Buffer.from(even).swap16().toString('utf16le')
  }
  return octets.toString('utf8').replace(/^\ufeff/, '')
}

/**
 * What types have in common as octets. Two of different families cannot be one file; types of no family (octet-stream, and all that is
 * not here) contradict nothing.
 */
const FAMILIES: readonly (readonly [string, RegExp, RegExp])[] = [
  ['pdf', /^application\/(?:x-)?pdf$/, /^pdf$/],
  ['png', /^image\/(?:x-)?png$/, /^png$/],
  ['jpeg', /^image\/p?jpe?g$/, /^jpe?g$/],
  ['gif', /^image\/gif$/, /^gif$/],
  ['tiff', /^image\/tiff$/, /^tiff?$/],
  [
    'zip',
    /^application\/(?:zip|x-zip(?:-compressed)?|java-archive|epub\+zip|vnd\.openxmlformats-officedocument\..*|vnd\.oasis\.opendocument\..*)$/,
    /^(?:zip|docx|xlsx|pptx|odt|ods|odp|jar|epub)$/,
  ],
  [
    'ole',
    /^application\/(?:x-ole-storage|msword|vnd\.ms-(?:excel|powerpoint|outlook))$/,
    /^(?:doc|xls|ppt|msg|msi)$/,
  ],
  ['gzip', /^application\/(?:x-)?gzip$/, /^(?:gz|tgz)$/],
  ['7z', /^application\/x-7z-compressed$/, /^7z$/],
  ['rar', /^application\/(?:vnd\.rar|x-rar(?:-compressed)?)$/, /^rar$/],
  ['tnef', /^application\/(?:vnd\.)?ms-tnef$/, /^$/],
  [
    'executable',
    /^application\/(?:vnd\.microsoft\.portable-executable|x-msdownload|x-executable|x-mach-binary|x-ms-shortcut)$/,
    /^(?:exe|dll|scr|com|lnk)$/,
  ],
  ['audio-video', /^(?:audio|video)\//, /^(?:mp3|mp4|ogg|wav)$/],
  [
    'text',
    /^(?:text\/.*|application\/(?:xml|rtf|json|pgp-.*)|[\w.]+\/[\w.-]+\+xml)$/,
    /^(?:txt|csv|xml|html?|ics|vcf|svg|rtf|json)$/,
  ],
]

function familyOf(value: string, column: 1 | 2): string | undefined {
  return FAMILIES.find((family) => family[column].test(value))?.[0]
}

/** Whether a detected type contradicts the declared one, or the ending of the name. */
export function contradicts(detected: string, declared: string, name: string | undefined): boolean {
  const family = familyOf(detected, 1)
  if (family === undefined) return false
  const ending = name === undefined ? '' : (/\.([a-z0-9]{1,5})$/i.exec(name)?.[1] ?? '')
  const said = [familyOf(declared, 1), ending === '' ? undefined : familyOf(ending.toLowerCase(), 2)]
  return said.some((one) => one !== undefined && one !== family)
}
