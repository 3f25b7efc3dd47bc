import { openSpool } from '../../shared/octets.ts'

// A process that spools a message and waits to be killed: `node spooling.ts PARENT OCTETS`. It says when the message is on disk, or ends and
// says what kept it from there, and whether the source was closed then.

const [parent = '', octets = '0'] = process.argv.slice(2)
let closed = false

async function* message(): AsyncGenerator<Buffer> {
  try {
    for (let left = Number(octets); left > 0; left -= 10_000) yield Buffer.alloc(Math.min(left, 10_000), 'x')
  } finally {
    closed = true
  }
}

try {
  const { length } = await openSpool(parent).collect(message(), 10)
  console.log(JSON.stringify({ length }))
  setInterval(() => {}, 1000)
} catch (error) {
  console.log(JSON.stringify({ code: (error as { code?: unknown }).code, closed }))
}
