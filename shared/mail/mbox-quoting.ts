// mboxrd: a line of a message that begins with `From `, or with `>`s and then `From `, gets one more `>`, so that no line of a message begins a message
// and every line can be had back (RFC 4155 describes the family and its variants; qmail's mbox(5) this one).

const FROM = Buffer.from('From ')
const QUOTE = 0x3e
const LINE_FEED = 0x0a

/** The octets with `>` added. Holds no more than one chunk, whatever the length of lines. */
export async function* quoteFromLines(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let kept: Buffer = Buffer.alloc(0)
  /** Whether the line so far is `>`s alone. */
  let open = true
  const quote = function* (data: Buffer, end: number): Generator<Buffer> {
    let from = 0
    for (let at = data.indexOf(FROM); at >= 0 && at < end; at = data.indexOf(FROM, at + 1)) {
      if (!beginsLine(data, at, open)) continue
      yield data.subarray(from, at)
      yield Buffer.of(QUOTE)
      from = at
    }
    if (end > from) yield data.subarray(from, end)
    open = isQuotesOnly(data, end, open)
  }
  for await (const chunk of source) {
    const data = Buffer.concat([kept, chunk])
    // `From ` may be cut between two chunks.
    const end = Math.max(0, data.length - FROM.length + 1)
    yield* quote(data, end)
    kept = data.subarray(end)
  }
  yield* quote(kept, kept.length)
}

/** A line of an mbox without its `>`, when it was quoted. */
export function unquoteFromLine(line: Buffer): Buffer {
  let at = 0
  while (line[at] === QUOTE) at++
  return at > 0 && line.subarray(at, at + FROM.length).equals(FROM) ? line.subarray(1) : line
}

function beginsLine(data: Buffer, at: number, open: boolean): boolean {
  let before = at - 1
  while (before >= 0 && data[before] === QUOTE) before--
  return before < 0 ? open : data[before] === LINE_FEED
}

function isQuotesOnly(data: Buffer, end: number, open: boolean): boolean {
  let before = end - 1
  while (before >= 0 && data[before] === QUOTE) before--
  return before < 0 ? open : data[before] === LINE_FEED
}
