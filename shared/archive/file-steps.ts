import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { sharedView } from '../octet-arena.ts'

// What a put does on the disk, as data: so that it can be done in another thread in one go. A call each, awaited, costs more in passing it on and
// waking up than the calls themselves.

export type Step =
  /** Fails with EEXIST when something has the name. */
  | { readonly do: 'assert-absent'; readonly path: string }
  /** Makes a read-only file, its octets on the disk at the end. Fails with EEXIST. */
  | { readonly do: 'write'; readonly path: string; readonly octets: Uint8Array }
  /** Leaves it as it is where it is there. */
  | { readonly do: 'make-folder'; readonly folder: string }
  /** Brings the names of a folder to the disk. */
  | { readonly do: 'sync'; readonly folder: string }
  /** Gives a file one more name. Fails with EEXIST when something has it. */
  | { readonly do: 'link'; readonly path: string; readonly name: string }
  | { readonly do: 'unlink'; readonly path: string }

/** Octets that all threads see are read where they lie, and have to stay as they are until then; others are copied. */
export function writeStep(path: string, octets: Buffer): Step {
  return { do: 'write', path, octets: sharedView(octets) ?? new Uint8Array(octets) }
}

/** What a system call failed with. */
export interface Failure {
  /** Index of the step. */
  readonly at: number
  readonly errno: string
  readonly syscall: string
  readonly message: string
}

/** As if it had failed here. */
export function toError({ errno, syscall, message }: Failure): Error {
  return Object.assign(new Error(message), { code: errno, syscall })
}

/**
 * Does the steps of each, in order, up to the first that fails. All go on abreast: a folder that several want synced at the same point is synced once.
 * Throws what no system call failed with.
 */
export function doSteps(all: readonly (readonly Step[])[]): (Failure | undefined)[] {
  const failures: (Failure | undefined)[] = all.map(() => undefined)
  for (let at = 0; all.some((steps, index) => !failures[index] && at < steps.length); at++) {
    const synced = new Set<string>()
    for (const [index, steps] of all.entries()) {
      const step = steps[at]
      if (!step || failures[index] || (step.do === 'sync' && synced.has(step.folder))) continue
      failures[index] = attempt(step, at)
      if (step.do === 'sync' && !failures[index]) synced.add(step.folder)
    }
  }
  return failures
}

function attempt(step: Step, at: number): Failure | undefined {
  try {
    doStep(step)
    return undefined
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    if (code === undefined || syscall === undefined) throw error
    return { at, errno: code, syscall, message }
  }
}

function doStep(step: Step): void {
  switch (step.do) {
    case 'assert-absent':
      if (lstatSync(step.path, { throwIfNoEntry: false }))
        throw Object.assign(new Error('EEXIST: it is there'), { code: 'EEXIST', syscall: 'lstat' })
      return
    case 'write':
      write(step.path, step.octets)
      return
    case 'make-folder':
      makeFolder(step.folder)
      return
    case 'sync':
      sync(step.folder)
      return
    case 'link':
      linkSync(step.path, step.name)
      return
    case 'unlink':
      unlinkSync(step.path)
  }
}

function write(path: string, octets: Uint8Array): void {
  const file = openSync(path, 'wx', 0o444)
  try {
    for (let at = 0; at < octets.length; )
      at += writeSync(file, octets, at, Math.min(512 * 1024, octets.length - at))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function sync(folder: string): void {
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
