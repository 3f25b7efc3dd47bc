import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { PARSER } from '../../shared/limits.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { OctetArena } from '../../shared/octet-arena.ts'
import { memoryOctets, type Octets, openSpool } from '../../shared/octets.ts'
import { openInlineParser } from '../../shared/parser/inline.ts'
import type { Parser } from '../../shared/parser/parser.ts'
import {
  defaultWorkers,
  openWorkerParser,
  type WorkerParserOptions,
} from '../../shared/parser/worker-pool.ts'
import { mimeOctets } from '../support/mime-octets.ts'
import { largeMessage, sampleMessages } from '../support/sample-messages.ts'

const FAULTY = new URL('../support/faulty-parse.worker.ts', import.meta.url)
/** Starts of a worker count too, and machines that test are slow. */
const LIMITS = { messageMs: 10_000, heapMib: 64 }

async function withParser(
  options: WorkerParserOptions,
  use: (parser: Parser) => Promise<void>,
): Promise<void> {
  const parser = openWorkerParser(options)
  try {
    await use(parser)
  } finally {
    await parser.close()
  }
}

function letter(subject: string, body = 'text'): Octets {
  return memoryOctets(
    Buffer.from(`From: a@b.example\nSubject: ${subject}\nAuto-Submitted: auto-replied\n\n${body}\n`),
  )
}

/** Subject and code of each. */
async function outcomes(parser: Parser, subjects: readonly string[]): Promise<(string | undefined)[][]> {
  const all = await Promise.all(subjects.map((subject) => parser.parse(letter(subject))))
  return all.map(({ message, parse }) => [message.subject, parse.code])
}

describe('the worker pool', () => {
  test('reads what the parser reads in this thread', async () => {
    await withParser({}, async (parser) => {
      for (const { name, octets } of sampleMessages())
        assert.deepEqual(await parser.parse(memoryOctets(octets)), await parseMessage(octets), name)
    })
  })

  test('answers each of many messages at once with what is its own', async () => {
    for (const workers of [1, 3])
      await withParser({ workers }, async (parser) => {
        const subjects = Array.from({ length: 200 }, (_, number) => `letter ${number}`)

        assert.deepEqual(
          await outcomes(parser, subjects),
          subjects.map((subject) => [subject, undefined]),
        )
      })
  })

  test('reads spooled messages, and leaves octets and files to their owner', async () => {
    const spool = openSpool()
    try {
      await withParser({}, async (parser) => {
        const message = largeMessage(1_000_000)
        const spooled = await spool.collect(
          (async function* () {
            yield message
          })(),
          1,
        )
        const held = memoryOctets(Buffer.from(message))
        const expected = await parseMessage(message)

        assert.notEqual(spooled.path, undefined)
        for (const octets of [spooled, held, spooled, held])
          assert.deepEqual(await parser.parse(octets), expected)
        assert.deepEqual(held.buffer, message)
      })
    } finally {
      await spool.close()
    }
  })

  test('keeps environment, arguments and options of the process from its workers', async () => {
    const workerUrl = new URL('../support/telling.worker.ts', import.meta.url)
    assert.ok(Object.keys(process.env).length > 0)

    await withParser({ workerUrl }, async (parser) => {
      const { message } = await parser.parse(letter('x'))
      assert.deepEqual(JSON.parse(message.subject ?? ''), {
        env: {},
        arguments: [],
        execArgv: [],
        shared: true,
      })
    })
  })

  test('gives its workers octets in memory that both see, however many and large, and all that is larger as a copy', async () => {
    const workerUrl = new URL('../support/telling.worker.ts', import.meta.url)
    const shared = async (parser: Parser, octets: number): Promise<boolean> => {
      const { message } = await parser.parse(memoryOctets(Buffer.alloc(octets)))
      return JSON.parse(message.subject ?? '').shared
    }
    await withParser({ workerUrl, workers: 1 }, async (parser) => {
      for (let number = 0; number < 20; number++) assert.equal(await shared(parser, 1_000_000 + number), true)
      assert.equal(await shared(parser, PARSER.pipelineOctets + 1), false)
      assert.equal(await shared(parser, PARSER.pipelineOctets), true)
    })
  })

  test('starts a worker ahead of the first message when it is told that one will come, and no second one for it', async () => {
    let started = 0
    const count = (): void => void started++
    process.on('worker', count)
    try {
      await withParser({ workers: 2 }, async (parser) => {
        assert.equal(started, 0)
        parser.prepare?.()
        parser.prepare?.()
        await new Promise(setImmediate)
        assert.equal(started, 1)

        await parser.parse(letter('x'))

        assert.equal(started, 1)
      })
    } finally {
      process.off('worker', count)
    }
  })

  test('shows its workers octets of an arena where they lie', async () => {
    const workerUrl = new URL('../support/telling.worker.ts', import.meta.url)
    const arena = new OctetArena(2 * PARSER.pipelineOctets)
    const spool = openSpool(undefined, arena)
    const octets = await spool.fill(PARSER.pipelineOctets + 1, async () => {})
    await withParser({ workerUrl, workers: 1 }, async (parser) => {
      const { message } = await parser.parse(octets)
      assert.equal(JSON.parse(message.subject ?? '').shared, true)
    })
  })

  test('tells its workers where compiled modules are kept, where the process keeps some, and nothing else', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-compiled-'))
    t.after(() => rm(folder, { recursive: true }))
    const program = `
      import { enableCompileCache } from 'node:module'
      import { openWorkerParser } from ${JSON.stringify(new URL('../../shared/parser/worker-pool.ts', import.meta.url).href)}
      import { memoryOctets } from ${JSON.stringify(new URL('../../shared/octets.ts', import.meta.url).href)}
      enableCompileCache(${JSON.stringify(folder)})
      const workerUrl = new URL(${JSON.stringify(new URL('../support/telling.worker.ts', import.meta.url).href)})
      const parser = openWorkerParser({ workerUrl })
      console.log((await parser.parse(memoryOctets(Buffer.from('Subject: x')))).message.subject)
      await parser.close()`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
    assert.deepEqual(JSON.parse(stdout).env, { NODE_COMPILE_CACHE: folder })
  })

  test('never fails because of a message, whatever its octets are', async () => {
    const inline = openInlineParser()
    await withParser({ workers: 1 }, async (parser) => {
      await fc.assert(
        fc.asyncProperty(fc.array(mimeOctets(), { minLength: 1, maxLength: 20 }), async (messages) => {
          const all = await Promise.all(messages.map((octets) => parser.parse(memoryOctets(octets))))
          for (const [index, parsed] of all.entries())
            assert.deepEqual(parsed, await inline.parse(memoryOctets(messages[index] ?? Buffer.alloc(0))))
        }),
        { numRuns: 100 },
      )
    })
  })

  test('gives a worker no more ahead of its answers than so many messages, and so many octets', async () => {
    /** How many of these are taken before the first is answered. */
    const takenAtOnce = async (messages: readonly Octets[]): Promise<number> => {
      const taken = new Set<Octets>()
      let atOnce = 0
      await withParser({ workers: 1 }, async (parser) => {
        const parsed = messages.map((octets) =>
          parser.parse({
            ...octets,
            get buffer() {
              taken.add(octets)
              return octets.buffer
            },
          }),
        )
        atOnce = taken.size
        await Promise.all(parsed)
      })
      assert.equal(taken.size, messages.length)
      return atOnce
    }
    const small = Array.from({ length: PARSER.pipelineMessages + 10 }, () => letter('x'))
    const large = Array.from({ length: 5 }, () => letter('x', 'y'.repeat(PARSER.pipelineOctets / 2)))

    assert.equal(await takenAtOnce(small), PARSER.pipelineMessages)
    assert.equal(await takenAtOnce(large), 2)
  })

  test('has one worker beside the drain on small machines, and four at most', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 6, 8, 64].map((processors) => defaultWorkers(processors)),
      [1, 1, 2, 2, 3, 4, 4],
    )
  })
})

describe('a message that fails a worker', () => {
  const FAULTS: readonly (readonly [subject: string, code: string])[] = [
    ['hang', 'TIMED_OUT'],
    ['exhaust the heap', 'OUT_OF_MEMORY'],
    ['crash', 'PARSER_FAILED'],
    ['exit', 'PARSER_FAILED'],
  ]
  for (const [subject, code] of FAULTS)
    test(`by "${subject}" is ${code}, with what its header says, and the others are parsed`, async () => {
      await withParser({ workers: 1, workerUrl: FAULTY, limits: LIMITS }, async (parser) => {
        const before = Array.from({ length: 5 }, (_, number) => parser.parse(letter(`before ${number}`)))
        const guilty = parser.parse(letter(subject))
        const after = Array.from({ length: 40 }, (_, number) => parser.parse(letter(`after ${number}`)))

        const failed = await guilty
        assert.deepEqual(failed.parse, { status: 'failed', code, version: failed.parse.version })
        assert.equal(failed.message.subject, subject)
        assert.deepEqual(failed.message.from, [{ address: 'a@b.example' }])
        assert.equal(failed.class, 'auto-reply')
        for (const parsed of await Promise.all([...before, ...after]))
          assert.equal(parsed.parse.status, 'parsed')
      })
    })

  test('is tried once when it takes too long, and else once more, in a worker that had nothing before it', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-tried-'))
    t.after(() => rm(folder, { recursive: true }))
    await withParser({ workers: 1, workerUrl: FAULTY, limits: LIMITS }, async (parser) => {
      for (const [subject, times] of [
        ['hang', 1],
        ['crash', 2],
      ] as const) {
        const tried = join(folder, subject)
        const octets = memoryOctets(Buffer.from(`Subject: ${subject}\nX-Tried: ${tried}\n\n`))

        assert.equal((await parser.parse(octets)).parse.status, 'failed')
        assert.equal((await readFile(tried)).length, times, subject)
      }
    })
  })

  test('does not have the message before it blamed, which was answered already', async () => {
    await withParser({ workers: 1, workerUrl: FAULTY, limits: LIMITS }, async (parser) => {
      for (let round = 0; round < 5; round++)
        assert.deepEqual(await outcomes(parser, ['before', 'exit', 'between', 'crash', 'after']), [
          ['before', undefined],
          ['exit', 'PARSER_FAILED'],
          ['between', undefined],
          ['crash', 'PARSER_FAILED'],
          ['after', undefined],
        ])
    })
  })

  test('late, when it is answered already, does not have the next one blamed', async () => {
    await withParser({ workers: 1, workerUrl: FAULTY, limits: LIMITS }, async (parser) => {
      const [late, next] = ['exit afterwards', 'y'.repeat(200)]
      const slow = letter(next, 'z <b>'.repeat(1_000_000))

      const found = await Promise.all([parser.parse(letter(late)), parser.parse(slow)])

      assert.deepEqual(
        found.map(({ parse }) => parse.status),
        ['parsed', 'parsed'],
      )
    })
  })

  test('in several workers at once leaves none without an answer', async () => {
    await withParser({ workers: 3, workerUrl: FAULTY, limits: LIMITS }, async (parser) => {
      const subjects = Array.from({ length: 60 }, (_, number) =>
        number % 6 === 5 ? 'crash' : `letter ${number}`,
      )

      assert.deepEqual(
        await outcomes(parser, subjects),
        subjects.map((subject) => [subject, subject === 'crash' ? 'PARSER_FAILED' : undefined]),
      )
    })
  })

  test('when it is spooled has its header read from the file', async () => {
    const spool = openSpool()
    try {
      await withParser({ workerUrl: FAULTY, limits: LIMITS }, async (parser) => {
        const octets = await spool.collect(letter('crash', 'x'.repeat(3_000_000)).open(), 1)

        const { message, parse } = await parser.parse(octets)

        assert.notEqual(octets.path, undefined)
        assert.deepEqual([message.subject, parse.code], ['crash', 'PARSER_FAILED'])
      })
    } finally {
      await spool.close()
    }
  })

  test('is forgotten: a worker that dies idle is replaced for the next message', async () => {
    await withParser({ workers: 1, workerUrl: FAULTY, limits: LIMITS }, async (parser) => {
      assert.deepEqual(await outcomes(parser, ['exit afterwards']), [['exit afterwards', undefined]])
      await new Promise((resume) => setTimeout(resume, 2_000))
      assert.deepEqual(await outcomes(parser, ['next']), [['next', undefined]])
    })
  })
})

describe('what is no doing of a message', () => {
  test('a drain that stands still for longer than the deadline, while its worker answers, fails none', async () => {
    const messageMs = 5_000
    await withParser({ workers: 1, limits: { messageMs } }, async (parser) => {
      await parser.parse(letter('starts the worker'))
      const answered = parser.parse(memoryOctets(largeMessage(4_000_000)))
      const next = answered.then(() => parser.parse(letter('next')))

      // As if the process were stopped; in an immediate, behind which timers are due before answers are looked at.
      await new Promise<void>((resume) => {
        setImmediate(() => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, messageMs + 500)
          resume()
        })
      })

      assert.equal((await answered).parse.status, 'parsed')
      assert.equal((await next).parse.status, 'parsed')
    })
  })

  test('a spool file that is gone fails with SPOOL_FAILED, and the others are parsed', async () => {
    await withParser({ workers: 1 }, async (parser) => {
      const gone: Octets = { ...letter('gone'), buffer: undefined, path: '/nonexistent/0.eml' }

      const [before, failed, after] = await Promise.allSettled([
        parser.parse(letter('before')),
        parser.parse(gone),
        parser.parse(letter('after')),
      ])

      assert.equal(before.status, 'fulfilled')
      assert.equal(after.status, 'fulfilled')
      assert.equal(failed.status, 'rejected')
      assert.equal(failed.reason.code, 'SPOOL_FAILED')
      assert.match(failed.reason.message, /ENOENT/)
    })
  })

  test('a worker that cannot be started fails every message with the reason, and none waits for ever', async () => {
    for (const name of ['no-such.worker.ts', 'pieces.ts'])
      await withParser(
        { workerUrl: new URL(`../support/${name}`, import.meta.url), limits: LIMITS },
        async (parser) => {
          const all = await Promise.allSettled(Array.from({ length: 100 }, () => parser.parse(letter('x'))))

          for (const outcome of all) {
            assert.equal(outcome.status, 'rejected')
            assert.match(String(outcome.reason), /no-such\.worker\.ts|ended before it was ready/)
          }
        },
      )
  })
})

describe('closing the pool', () => {
  test('rejects what is under way and what comes after, and ends hanging workers', async () => {
    const parser = openWorkerParser({ workers: 1, workerUrl: FAULTY, limits: LIMITS })
    const underWay = ['hang', 'behind it'].map((subject) =>
      assert.rejects(parser.parse(letter(subject)), /closed/),
    )

    await parser.close()

    await Promise.all(underWay)
    await assert.rejects(parser.parse(letter('x')), /the parser is closed/)
    await parser.close()
  })
})
