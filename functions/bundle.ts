import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

// Bundles every function for Lambda, and the relay for its container: dist/<name>/index.mjs with all it needs, the AWS SDK included (the
// one of the runtime is older), and beside it what is loaded when it is needed. `npm run bundle`, before the stacks are synthesized.

const ROOT = join(import.meta.dirname, '..')
const SUFFIX = '.lambda.ts'

/** CommonJS packages call `require` for Node's own modules; an ES module has none. */
export const REQUIRE =
  "import{createRequire as createRequire_}from'node:module';const require=createRequire_(import.meta.url);"

/** A thread of its own, started from a file of its own. */
const PARSER_WORKER = 'shared/parser/parse.worker.ts'

/** What the relay runs in. /tmp is a volume there, and one that is named here belongs to whom it belongs to in the image. */
const DOCKERFILE = `FROM public.ecr.aws/docker/library/node:24-slim
WORKDIR /relay
COPY --chown=root:root . .
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
VOLUME ["/tmp"]
USER node
ENTRYPOINT ["node", "index.mjs"]
`

export interface Bundle {
  /** `drain-mailbox` for functions/drain-mailbox.lambda.ts. */
  readonly name: string
  readonly folder: string
  /** Code without source maps. */
  readonly octets: number
  /** Every source and package file in it, relative to the repository. */
  readonly inputs: readonly string[]
}

/** Bundles all functions into folders of `into`, which are made anew. Rejects with what esbuild finds wrong. */
export async function bundleFunctions(into: string = join(ROOT, 'dist')): Promise<readonly Bundle[]> {
  const sources = readdirSync(import.meta.dirname).filter((file) => file.endsWith(SUFFIX))
  return Promise.all(sources.sort().map((source) => bundle(source, basename(source, SUFFIX), into)))
}

/** Bundles the relay into `into`/idle-relay, which is made anew, with the Dockerfile of its container. Rejects with what esbuild finds wrong. */
export async function bundleRelay(into: string = join(ROOT, 'dist')): Promise<Bundle> {
  const relay = await bundle('idle-relay.task.ts', 'idle-relay', into)
  writeFileSync(join(relay.folder, 'Dockerfile'), DOCKERFILE)
  return relay
}

async function bundle(source: string, name: string, into: string): Promise<Bundle> {
  const folder = join(into, name)
  rmSync(folder, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      index: join('functions', source),
      ...(name === 'drain-mailbox' ? { 'parse.worker': PARSER_WORKER } : {}),
    },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    chunkNames: '[hash]',
    platform: 'node',
    target: 'node24',
    // ES modules of packages that have both: a dynamic import of CommonJS has no named exports, and nothing of it is left out.
    mainFields: ['module', 'main'],
    format: 'esm',
    banner: { js: REQUIRE },
    minify: true,
    // Stack traces and `instanceof` in logs keep their names.
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    logLevel: 'silent',
  })
  const code = Object.entries(metafile.outputs).filter(([file]) => file.endsWith('.mjs'))
  return {
    name,
    folder,
    octets: code.reduce((total, [, { bytes }]) => total + bytes, 0),
    inputs: [...new Set(code.flatMap(([, { inputs }]) => Object.keys(inputs)))].sort(),
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const { folder, octets } of [...(await bundleFunctions()), await bundleRelay()])
    console.log(`${relative(ROOT, folder)}: ${Math.ceil(octets / 1024)} KiB`)
