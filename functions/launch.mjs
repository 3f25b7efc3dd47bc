#!/usr/bin/env node
// What `npx mailsluice` starts: the command line on Node 24, which runs TypeScript as it is. On an older Node it goes on in the one that
// `npm ci` installed, with the same arguments, streams, signals and exit status.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire, enableCompileCache } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST = 24
const cli = fileURLToPath(new URL('./mailsluice.cli.ts', import.meta.url))

if (!existsSync(cli)) {
  console.error(
    'mailsluice: this package holds the consumer kit (mailsluice/consumer); the command line runs from a checkout of the repository.',
  )
  process.exitCode = 1
} else if (Number(process.versions.node.split('.')[0]) >= OLDEST) {
  // TypeScript is made JavaScript once and kept: a command is there in a third of the time, and takes 50 MB less. Where the folder
  // cannot be written, all works without. Not in the folder for temporary files, where others could put something in its place.
  enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/mailsluice', import.meta.url)))
  const { main } = await import(cli)
  process.exitCode = await main(process.argv.slice(2))
} else {
  const node = installedNode()
  if (node) hand(node)
  else {
    console.error(
      `mailsluice needs Node ${OLDEST} and this is ${process.version}; run npm ci, which brings it.`,
    )
    process.exitCode = 1
  }
}

function installedNode() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node')
  } catch {
    return undefined
  }
}

function hand(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both; what is sent to this process alone is passed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  process.on('SIGINT', () => {})
  child.on('error', (error) => {
    console.error(`mailsluice cannot start ${node}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (status, signal) => {
    if (signal) process.kill(process.pid, signal)
    else process.exitCode = status ?? 1
  })
}
