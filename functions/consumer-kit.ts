import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { REQUIRE } from './bundle.ts'

// The consumer kit as JavaScript with types: dist/consumer, which `npm pack` puts into the package, for Node runs no TypeScript below
// node_modules. `npm run consumer`.

const ROOT = join(import.meta.dirname, '..')

/** What a consumer imports: `mailsluice/consumer`, `mailsluice/consumer/s3` and `mailsluice/consumer/sqs`. */
const ENTRIES = ['index', 's3', 'sqs'].map((name) => `shared/consumer/${name}.ts`)

/** Who asks for S3 or SQS has the SDK already, and gives a client of it. */
const SDK = ['@aws-sdk/*', '@smithy/*']

export interface ConsumerKit {
  readonly folder: string
  /** Every source and package file of an entry, and what it imports statically, by the name of the entry: `index`, `s3`, `sqs`. */
  readonly inputs: Readonly<Record<string, readonly string[]>>
}

/** Builds the kit into `folder`, which is made anew. Rejects with what esbuild or the compiler finds wrong. */
export async function buildConsumerKit(
  folder: string = join(ROOT, 'dist', 'consumer'),
): Promise<ConsumerKit> {
  rmSync(folder, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    chunkNames: '[hash]',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: SDK,
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE },
    keepNames: true,
    metafile: true,
    logLevel: 'silent',
  })
  declareTypes(join(folder, 'types'))
  return { folder, inputs: inputsOf(metafile.outputs, folder) }
}

/** Declarations by the compiler: esbuild makes none. */
function declareTypes(folder: string): void {
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
  const { status, stdout, stderr } = spawnSync(tsc, ['-p', 'tsconfig.consumer.json', '--outDir', folder], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`tsc: ${stdout}${stderr}`)
}

type Outputs = Awaited<ReturnType<typeof build<{ metafile: true }>>>['metafile']['outputs']

function inputsOf(outputs: Outputs, folder: string): ConsumerKit['inputs'] {
  const inputs = (file: string): string[] => [
    ...Object.keys(outputs[file]?.inputs ?? {}),
    ...(outputs[file]?.imports ?? [])
      .filter(({ kind }) => kind === 'import-statement')
      .flatMap(({ path, external }) => (external ? [path] : inputs(path))),
  ]
  return Object.fromEntries(
    ENTRIES.map((entry) => basename(entry, '.ts')).map((name) => [
      name,
      [...new Set(inputs(relative(ROOT, join(folder, `${name}.mjs`))))].sort(),
    ]),
  )
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log(relative(ROOT, (await buildConsumerKit()).folder))
